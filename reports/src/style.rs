//! How terminal text is dressed. Colour only adds: without it, every word and
//! mark is the same.

use anstyle::{AnsiColor, Style as Ansi};

/// What the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether to colour the text with ANSI escape sequences.
    pub color: bool,
    /// Columns a line may take. Taken as at least 60, below which a table
    /// does not fit, and at most 100, above which lines are hard to follow.
    pub width: usize,
}

impl Style {
    /// Plain text of at most 100 columns.
    pub const PLAIN: Self = Self {
        color: false,
        width: 100,
    };

    pub(crate) fn columns(self) -> usize {
        self.width.clamp(60, 100)
    }

    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        let ansi = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Strong => Ansi::new().bold(),
            Tone::Dim => Ansi::new().dimmed(),
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Bad => AnsiColor::Red.on_default().bold(),
            Tone::Drawn => AnsiColor::Cyan.on_default(),
        };
        if self.color && !text.is_empty() {
            format!("{ansi}{text}{ansi:#}")
        } else {
            text.to_owned()
        }
    }
}

/// What a piece of text is to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    /// A title or a headline figure.
    Strong,
    /// Context that may be skipped.
    Dim,
    /// It held.
    Good,
    /// It did not.
    Bad,
    /// A bar or a sparkline.
    Drawn,
}

impl Tone {
    /// Its class in the style sheet of web pages.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Plain | Self::Drawn => "plain",
            Self::Strong => "strong",
            Self::Dim => "dim",
            Self::Good => "good",
            Self::Bad => "bad",
        }
    }
}

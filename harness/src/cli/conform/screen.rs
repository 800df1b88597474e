//! What is shown while checks run: each part of the specification once all of it
//! has ended, in its order, and how far it has come.

use std::time::Duration;

use squall::conform::{Run, Selected, Tested, known, report};
use squall_reports::conformance::{Case, Conclusion, Conformance, Protocol};
use squall_reports::terminal::Timing;
use squall_reports::{Style, terminal};

use super::super::exit::Failure;
use super::super::output::Output;
use super::super::progress::Progress;
use super::Session;
use super::arguments::Format;

pub(super) struct Screen<'a> {
    tested: &'a Tested,
    format: Format,
    output: &'a Output,
    bar: Progress,
    /// The cases that have ended; nothing unless they are shown as they do.
    shown: Option<Shown>,
    ended: u64,
}

struct Shown {
    run: Conformance,
    /// The parts of the specification that are still to be shown, and how many
    /// cases each has.
    waiting: Vec<(Protocol, String, usize)>,
    /// The protocol of the last part that was.
    protocol: Option<Protocol>,
    style: Style,
}

impl<'a> Screen<'a> {
    /// Says what is tested.
    pub(super) fn new(session: &'a Session<'_>, tested: &'a Tested) -> Result<Self, Failure> {
        let output = session.output;
        let format = session.arguments.format;
        let planned = session.selection.len() as u64;
        let screen = Self {
            tested,
            format,
            output,
            bar: Progress::of_checks(output.draws_progress(), planned),
            shown: (format == Format::Terminal)
                .then(|| Shown::new(tested, &session.selection, output.style())),
            ended: 0,
        };
        if let Some(shown) = &screen.shown {
            let head = terminal::conformance::head(&shown.run, shown.style);
            or_closed(output.print(&head))?;
        }
        Ok(screen)
    }

    /// A case has ended.
    pub(super) fn ended(&mut self, case: &Case) -> Result<(), Failure> {
        self.ended += 1;
        let Some(shown) = &mut self.shown else {
            return Ok(());
        };
        let mut case = case.clone();
        known::mark(&mut case, &self.tested.known, self.tested.transport);
        shown.run.cases.push(case);
        let text = shown.ready();
        match text.is_empty() {
            true => Ok(()),
            false => {
                let printed = self.bar.aside(|| self.output.print(&text));
                or_closed(printed)
            }
        }
    }

    /// Some time has gone by.
    pub(super) fn tick(&mut self) {
        self.bar.tick(self.ended);
    }

    /// There is no more to come, and nothing more is shown.
    pub(super) fn close(self) {
        self.bar.finish();
    }

    /// There is no more to come: what it came to, without what was shown.
    pub(super) fn result(self, run: &Conformance, timing: Timing) -> Result<(), Failure> {
        self.bar.finish();
        let text = match self.shown {
            Some(shown) => shown.rest(run, timing),
            None => self.format.report(run, self.output.style(), Some(timing)),
        };
        or_closed(self.output.print(&text))
    }
}

/// That nobody reads it any more is no reason not to go on.
pub(super) fn or_closed(printed: Result<(), Failure>) -> Result<(), Failure> {
    match printed {
        Err(Failure::PipeClosed) => Ok(()),
        other => other,
    }
}

impl Shown {
    fn new(tested: &Tested, selection: &[Selected], style: Style) -> Self {
        let placeholder = |selected: &Selected| selected.without_run(Conclusion::Pass);
        let ran = |cases| Run {
            cases,
            took: Duration::ZERO,
            partial: false,
        };
        let whole = report(
            tested,
            selection,
            ran(selection.iter().map(placeholder).collect()),
        );
        let chapters = whole.chapters();
        let waiting = chapters.iter();
        let waiting = waiting.map(|chapter| {
            (
                chapter.protocol,
                chapter.title.to_owned(),
                chapter.cases.len(),
            )
        });
        Self {
            waiting: waiting.collect(),
            run: Conformance {
                cases: Vec::new(),
                fixed: Vec::new(),
                ..whole.clone()
            },
            protocol: None,
            style,
        }
    }

    /// The parts of the specification that are next, and have ended.
    fn ready(&mut self) -> String {
        let mut text = String::new();
        let chapters = self.run.chapters();
        let mut shown = 0;
        for (protocol, title, cases) in &self.waiting {
            let ended = chapters.iter().find(|chapter| {
                chapter.protocol == *protocol
                    && chapter.title == title
                    && chapter.cases.len() >= *cases
            });
            let Some(chapter) = ended else { break };
            shown += 1;
            text.push_str(&terminal::conformance::chapter(
                &self.run,
                chapter,
                &mut self.protocol,
                self.style,
            ));
        }
        self.waiting.drain(..shown);
        text
    }

    /// What was not shown yet, and the end.
    fn rest(mut self, run: &Conformance, timing: Timing) -> String {
        let mut text = String::new();
        for chapter in run.chapters() {
            let mut waiting = self.waiting.iter();
            if waiting.any(|(protocol, title, _)| {
                *protocol == chapter.protocol && *title == chapter.title
            }) {
                text.push_str(&terminal::conformance::chapter(
                    run,
                    &chapter,
                    &mut self.protocol,
                    self.style,
                ));
            }
        }
        text + &terminal::conformance::tail(run, self.style, Some(timing))
    }
}

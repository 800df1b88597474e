//! A conformance run for a person at a terminal. It reads like the
//! specification: a line for each part of it, and below that what is wrong
//! there.
//!
//! [`head`], [`chapter`] and [`tail`] are the pieces, for whoever shows a run
//! that is still going on; [`render_conformance`] is all of them.

use crate::{
    conformance::{Case, Chapter, Conclusion, Conformance, Protocol, Standing},
    figures::{count, counted, duration},
    layout::{clean, fit, pad_end, pad_start, width, wrap, wrap_command},
    style::{Style, Tone},
    terminal::{Page, Timing, join},
    words::conformance as words,
};

/// Columns that the title of a chapter takes.
const TITLE: usize = 40;

/// Columns in front of what is told of a case.
const INDENT: usize = 4;

/// Columns of the names of what is told of a failure.
const NAMES: usize = 10;

/// Steps of a transcript that are printed: so many of its beginning, and of its
/// end.
const FIRST_STEPS: usize = 12;
const LAST_STEPS: usize = 28;

/// Bytes of one step that are printed.
const BYTES_SHOWN: usize = 64;

/// Waits that are printed.
const WAITS_SHOWN: usize = 8;

/// Checks that are named for each capability that the broker lacks.
const SKIPPED_SHOWN: usize = 6;

/// The report of a run, ending in a newline.
#[must_use]
pub fn render_conformance(run: &Conformance, style: Style, timing: Option<Timing>) -> String {
    let mut text = head(run, style);
    let mut protocol = None;
    for each in run.chapters() {
        text.push_str(&chapter(run, &each, &mut protocol, style));
    }
    text.push_str(&tail(run, style, timing));
    text
}

/// What is tested, before anything is known of it.
#[must_use]
pub fn head(run: &Conformance, style: Style) -> String {
    let mut page = Page::new(style);
    let mut phrases = vec![clean(&words::tested(run))];
    if run.transport != run.target {
        phrases.push(clean(&run.transport));
    }
    phrases.push(counted(run.planned, "check"));
    phrases.push(format!("squall {}", clean(&run.squall)));
    page.header(&phrases);
    page.text
}

/// One part of the specification. `protocol` is that of the chapter before; it
/// is set to that of this one.
#[must_use]
pub fn chapter(
    run: &Conformance,
    chapter: &Chapter<'_>,
    protocol: &mut Option<Protocol>,
    style: Style,
) -> String {
    let mut page = Page::new(style);
    if protocol.replace(chapter.protocol) != Some(chapter.protocol) {
        page.line("");
        let title = page.paint(Tone::Strong, chapter.protocol.title());
        page.line(&title);
    }
    for line in chapter_line(chapter, &page) {
        page.line(&line);
    }
    for case in &chapter.cases {
        let lines = match run.standing(case) {
            Standing::Pass | Standing::Skip => continue,
            Standing::Fail => failure(run, case, &page),
            Standing::Known | Standing::NonStrict | Standing::Error => in_short(run, case, &page),
        };
        for line in lines {
            page.line(&line);
        }
    }
    for line in skipped(chapter, &page) {
        page.line(&line);
    }
    page.text
}

/// A chapter's title, and right of it how many cases came to what.
fn chapter_line(chapter: &Chapter<'_>, page: &Page) -> Vec<String> {
    let columns = TITLE.min(page.style.columns() / 2);
    let title = pad_end(&fit(&clean(chapter.title), columns - 1), columns);
    let mut lines = vec![title];
    let mut taken = columns;
    for (tone, phrase) in words::tally(&chapter.tally) {
        if taken + width(&phrase) > page.style.columns() {
            lines.push(" ".repeat(columns));
            taken = columns;
        }
        taken += width(&phrase) + 2;
        if let Some(line) = lines.last_mut() {
            line.push_str(&page.paint(tone, &phrase));
            line.push_str("  ");
        }
    }
    lines
        .iter()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// What the run comes to.
#[must_use]
pub fn tail(run: &Conformance, style: Style, timing: Option<Timing>) -> String {
    let mut page = Page::new(style);
    let waits = waits(run, &page);
    page.section("waits", waits);
    if !run.fixed.is_empty() {
        page.line("");
        page.line(&page.paint(Tone::Bad, "known failures that are gone"));
        for known in &run.fixed {
            let text = format!("{}  {}", words::known_failure(known), known.reason);
            for line in page.indented(INDENT, Tone::Plain, &clean(&text)) {
                page.line(&line);
            }
        }
    }
    page.line("");
    let took = match timing {
        Some(timing) => format!(" in {}", timing.text()),
        None => String::new(),
    };
    let totals = words::totals(&run.tally());
    if !totals.is_empty() {
        page.line(&format!("{totals}{took}"));
    }
    let (tone, judgement) = words::judgement(run);
    page.footer(tone, &judgement);
    page.text
}

impl Page {
    /// `text` wrapped, right of so many blanks.
    fn indented(&self, indent: usize, tone: Tone, text: &str) -> Vec<String> {
        let lines = wrap(text, self.style.columns() - indent);
        let blanks = " ".repeat(indent);
        let lines = lines.iter();
        lines
            .map(|line| format!("{blanks}{}", self.paint(tone, line)))
            .collect()
    }
}

/// A failure that is new: everything that is known of it.
fn failure(run: &Conformance, case: &Case, page: &Page) -> Vec<String> {
    let mut lines = title(run, case, page);
    let mut told = |name: &str, text: Vec<String>| {
        for (index, line) in text.into_iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            let name = page.paint(Tone::Dim, &pad_end(name, NAMES));
            lines.push(
                format!("{}{name}{line}", " ".repeat(INDENT + 2))
                    .trim_end()
                    .to_owned(),
            );
        }
    };
    let room = page.style.columns() - INDENT - 2 - NAMES;
    for (name, text) in words::findings(case) {
        told(name, wrap(&clean(&text), room));
    }
    told("packets", transcript(case, room, page));
    let again = wrap_command(&clean(&run.again(case)), page.style.columns() - INDENT - 2);
    let blanks = " ".repeat(INDENT + 2);
    lines.extend(
        again
            .iter()
            .map(|line| format!("{blanks}{}", page.paint(Tone::Strong, line))),
    );
    lines
}

/// The check's name, and what it is about.
fn title(run: &Conformance, case: &Case, page: &Page) -> Vec<String> {
    let (mark, tone) = words::standing_mark(run.standing(case));
    let mut lines = vec![format!(
        "{}{} {}",
        " ".repeat(INDENT),
        page.paint(tone, mark),
        page.paint(Tone::Strong, &clean(&case.check)),
    )];
    let concerned: Vec<_> = run.concerns(case).collect();
    for statement in concerned {
        let id = clean(&format!("{} {}", statement.id, statement.level));
        let lead = format!(
            "{}{}  ",
            " ".repeat(INDENT + 2),
            page.paint(Tone::Drawn, &id)
        );
        let lead_width = INDENT + 2 + width(&id) + 2;
        let room = page.style.columns().saturating_sub(lead_width).max(20);
        let text = wrap(&clean(&statement.summary), room);
        lines.extend(page.hang_lines(&lead, lead_width, Tone::Plain, &text));
    }
    lines
}

/// A case of which it is enough to say that it is there.
fn in_short(run: &Conformance, case: &Case, page: &Page) -> Vec<String> {
    let (mark, tone) = words::standing_mark(run.standing(case));
    let ids: Vec<_> = run
        .concerns(case)
        .map(|statement| clean(&statement.id))
        .collect();
    let known = match run.standing(case) {
        Standing::Known => "  known",
        _ => "",
    };
    let name = clean(&case.check);
    let taken = INDENT + 2 + width(&name) + width(known) + 2;
    let room = page.style.columns().saturating_sub(taken);
    let ids = match case.verdict {
        Conclusion::Fail { .. } if room > 8 => format!("  {}", fit(&ids.join(", "), room)),
        _ => String::new(),
    };
    let mut lines = vec![format!(
        "{}{} {name}{}{}",
        " ".repeat(INDENT),
        page.paint(tone, mark),
        page.paint(Tone::Drawn, &ids),
        page.paint(Tone::Dim, known),
    )];
    let text = match &case.expected {
        Some(known) if run.standing(case) == Standing::Known => clean(&known.reason),
        _ => clean(&words::in_short(case)),
    };
    lines.extend(page.indented(INDENT + 2, Tone::Dim, &text));
    lines
}

/// What the broker lacks, and what was skipped for it.
fn skipped(chapter: &Chapter<'_>, page: &Page) -> Vec<String> {
    let mut lacking: Vec<(&str, Vec<&str>)> = Vec::new();
    for case in &chapter.cases {
        if let Conclusion::Skip { lacks } = &case.verdict {
            match lacking.iter_mut().find(|(other, _)| other == lacks) {
                Some((_, checks)) => checks.push(&case.check),
                None => lacking.push((lacks, vec![&case.check])),
            }
        }
    }
    let told = |(lacks, checks): (&str, Vec<&str>)| {
        let more = checks.len().saturating_sub(SKIPPED_SHOWN);
        let mut named = checks[..checks.len() - more].join(", ");
        if more > 0 {
            named.push_str(&format!(" and {} more", count(more as u64)));
        }
        let text = clean(&format!("– {lacks}: {named}"));
        page.indented(INDENT, Tone::Dim, &text)
    };
    lacking.into_iter().flat_map(told).collect()
}

/// The packets of a case: when, who, which way, what they say, and their bytes.
pub(super) fn transcript(case: &Case, room: usize, page: &Page) -> Vec<String> {
    let steps = words::steps(&case.transcript);
    let widest = |text: fn(&words::Step) -> &str| {
        let widths = steps.iter().map(|step| width(&clean(text(step))));
        widths.max().unwrap_or(0)
    };
    let (times, clients) = (widest(|step| &step.at), widest(|step| &step.client).min(16));
    let indent = times + 2 + clients + 1;
    let mut lines = Vec::new();
    let left_out = steps.len().saturating_sub(FIRST_STEPS + LAST_STEPS);
    for (index, step) in steps.iter().enumerate() {
        if left_out > 0 && index == FIRST_STEPS {
            let text = format!("… {} left out", counted(left_out as u64, "step"));
            lines.push(page.paint(Tone::Dim, &text));
        }
        if left_out > 0 && (FIRST_STEPS..FIRST_STEPS + left_out).contains(&index) {
            continue;
        }
        let lead = format!(
            "{}  {} {} ",
            page.paint(Tone::Dim, &pad_start(&step.at, times)),
            pad_end(&fit(&clean(&step.client), clients), clients),
            page.paint(Tone::Drawn, step.arrow),
        );
        let says = wrap(&clean(&step.says), room - indent - 2);
        lines.extend(page.hang_lines(&lead, indent + 2, Tone::Plain, &says));
        let bytes: Vec<_> = step.hex.split(' ').take(BYTES_SHOWN).collect();
        let mut hex = bytes.join(" ");
        if step.hex.split(' ').count() > BYTES_SHOWN && !hex.ends_with('…') {
            hex.push_str(" …");
        }
        let hex = (!hex.is_empty()).then(|| wrap(&hex, room - indent - 2));
        for line in hex.into_iter().flatten() {
            let blanks = " ".repeat(indent + 2);
            lines.push(format!("{blanks}{}", page.paint(Tone::Dim, &line)));
        }
    }
    lines
}

/// What the specification made the run wait for.
fn waits(run: &Conformance, page: &Page) -> Vec<String> {
    let waits = words::waits(run);
    let mut lines = Vec::new();
    for (for_ns, case, why) in waits.iter().take(WAITS_SHOWN) {
        let phrases = [
            duration(*for_ns),
            clean(why),
            format!("{}, {}", clean(&case.check), case.protocol.title()),
        ];
        lines.extend(join(&phrases, page.room()));
    }
    let more = waits.len().saturating_sub(WAITS_SHOWN);
    if more > 0 {
        let longest = duration(waits[WAITS_SHOWN].0);
        let text = format!("and {} more of at most {longest}", count(more as u64));
        lines.push(page.paint(Tone::Dim, &text));
    }
    lines
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::conformance::samples;

    #[rstest]
    #[case::mosquitto("mosquitto", samples::mosquitto())]
    #[case::reference("reference", samples::reference())]
    #[case::partial("partial", samples::partial())]
    #[case::hostile("hostile", samples::hostile())]
    fn a_run(#[case] name: &str, #[case] run: Conformance) {
        let wall = std::time::Duration::from_millis(9_812);
        let text = render_conformance(&run, Style::PLAIN, Some(Timing { wall }));
        insta::assert_snapshot!(format!("terminal_conformance_{name}"), text);
    }

    #[rstest]
    fn no_line_is_too_wide_or_ends_in_blanks(
        #[values(samples::mosquitto(), samples::partial(), samples::hostile())] run: Conformance,
        #[values(0, 60, 80, 100, 200)] columns: usize,
    ) {
        let style = Style {
            color: false,
            width: columns,
        };
        for line in render_conformance(&run, style, None).lines() {
            assert!(width(line) <= style.columns(), "too wide: {line}");
            assert_eq!(line, line.trim_end());
        }
    }
}

//! One run as a web page.

use serde::Serialize;

use super::{Count, Evidence, Named, counts, page};
use crate::{
    conformance::Conformance, figures::duration, layout::clean, style::Tone,
    words::conformance as words,
};

#[derive(Serialize)]
struct Page {
    tested: String,
    spoken: String,
    transport: String,
    squall: String,
    extent: String,
    judgement: String,
    tone: &'static str,
    command: String,
    tally: Vec<Count>,
    protocols: Vec<Protocol>,
    fixed: Vec<Named>,
    waits: Vec<Wait>,
}

#[derive(Serialize)]
struct Protocol {
    title: &'static str,
    chapters: Vec<Chapter>,
}

#[derive(Serialize)]
struct Chapter {
    title: String,
    tally: Vec<Count>,
    cases: Vec<Evidence>,
}

#[derive(Serialize)]
struct Wait {
    duration: String,
    why: String,
    check: String,
    protocol: &'static str,
}

/// The run as one self-contained web page.
#[must_use]
pub fn render_conformance(run: &Conformance) -> String {
    let (tone, judgement) = words::judgement(run);
    let mut protocols: Vec<Protocol> = Vec::new();
    let mut number = 0;
    for chapter in run.chapters() {
        let cases = chapter.cases.iter().map(|case| {
            number += 1;
            Evidence::new(run, case, format!("case-{number}"))
        });
        let told = Chapter {
            title: clean(chapter.title),
            tally: counts(&chapter.tally),
            cases: cases.collect(),
        };
        let title = chapter.protocol.title();
        match protocols.last_mut().filter(|last| last.title == title) {
            Some(protocol) => protocol.chapters.push(told),
            None => protocols.push(Protocol {
                title,
                chapters: vec![told],
            }),
        }
    }
    let fixed = run.fixed.iter().map(|known| Named {
        name: clean(&words::known_failure(known)),
        text: clean(&known.reason),
    });
    let waits = words::waits(run).into_iter();
    let waits = waits.map(|(for_ns, case, why)| Wait {
        duration: duration(for_ns),
        why: clean(why),
        check: clean(&case.check),
        protocol: case.protocol.title(),
    });
    let content = Page {
        tested: clean(&words::tested(run)),
        spoken: words::protocols(&run.protocols()),
        transport: clean(&run.transport),
        squall: clean(&run.squall),
        extent: words::extent(run),
        judgement,
        tone: match tone {
            Tone::Good => "good",
            Tone::Bad => "bad",
            _ => "dim",
        },
        command: clean(&run.command),
        tally: counts(&run.tally()),
        protocols,
        fixed: fixed.collect(),
        waits: waits.collect(),
    };
    page("conformance.html", content)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::conformance::samples;

    #[rstest]
    #[case::mosquitto("mosquitto", samples::mosquitto())]
    #[case::hostile("hostile", samples::hostile())]
    fn a_run(#[case] name: &str, #[case] run: Conformance) {
        insta::assert_snapshot!(format!("html_conformance_{name}"), render_conformance(&run));
    }

    #[test]
    fn no_text_breaks_out_and_nothing_is_fetched() {
        let page = render_conformance(&samples::hostile());
        assert!(!page.contains("<e>") && !page.contains("]]></script>"));
        assert!(!page.contains("javascript:"));
        for fetches in ["src=", "url(", "@import", "<link"] {
            assert!(!page.contains(fetches), "{fetches}");
        }
        assert_eq!(page.matches("</script>").count(), 1);
    }
}

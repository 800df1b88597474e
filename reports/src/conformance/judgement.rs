//! What the cases of a run add up to.

use super::{Case, Conclusion, Conformance, Protocol, Statement};

/// What a case means for the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// The broker does what is asked.
    Pass,
    /// It does what is allowed, and not what should be.
    NonStrict,
    /// It fails, and that is new. In a strict run, a departure from a SHOULD
    /// fails too.
    Fail,
    /// It fails, and that was known.
    Known,
    /// The check does not apply.
    Skip,
    /// The connection or the harness failed.
    Error,
}

impl Standing {
    /// Every standing, in the order in which they are told.
    pub const ALL: [Self; 6] = [
        Self::Pass,
        Self::Fail,
        Self::Known,
        Self::NonStrict,
        Self::Skip,
        Self::Error,
    ];

    /// Its name: `pass`, `fail`, `known`, `non-strict`, `skip` or `error`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::NonStrict => "non-strict",
            Self::Fail => "fail",
            Self::Known => "known",
            Self::Skip => "skip",
            Self::Error => "error",
        }
    }
}

/// How many cases stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    counts: [u64; 6],
}

impl Tally {
    fn of<'a>(run: &Conformance, cases: impl IntoIterator<Item = &'a Case>) -> Self {
        let mut tally = Self::default();
        for case in cases {
            tally.counts[run.standing(case) as usize] += 1;
        }
        tally
    }

    /// Cases of this standing.
    #[must_use]
    pub fn count(&self, standing: Standing) -> u64 {
        self.counts[standing as usize]
    }
}

/// The cases of one protocol that decide statements of one part of its
/// specification.
#[derive(Clone, Debug)]
pub struct Chapter<'a> {
    /// The protocol.
    pub protocol: Protocol,
    /// Number and title, such as `3.3 PUBLISH`.
    pub title: &'a str,
    /// Its cases, in the order of the run.
    pub cases: Vec<&'a Case>,
    /// How many stand where.
    pub tally: Tally,
}

impl Conformance {
    /// What a case means for the run.
    #[must_use]
    pub fn standing(&self, case: &Case) -> Standing {
        let fails = match case.verdict {
            Conclusion::Pass => return Standing::Pass,
            Conclusion::Skip { .. } => return Standing::Skip,
            Conclusion::Error { .. } => return Standing::Error,
            Conclusion::NonStrict { .. } => self.strict,
            Conclusion::Fail { .. } => true,
        };
        match (fails, &case.expected) {
            (false, _) => Standing::NonStrict,
            (true, None) => Standing::Fail,
            (true, Some(_)) => Standing::Known,
        }
    }

    /// How many cases stand where.
    #[must_use]
    pub fn tally(&self) -> Tally {
        Tally::of(self, &self.cases)
    }

    /// Whether nothing is new: no failure that was not known, and no known one
    /// that is gone.
    #[must_use]
    pub fn held(&self) -> bool {
        self.tally().count(Standing::Fail) == 0 && self.fixed.is_empty()
    }

    /// The statement of this id, if a case decides it.
    #[must_use]
    pub fn statement(&self, id: &str) -> Option<&Statement> {
        self.statements.iter().find(|statement| statement.id == id)
    }

    /// The statements that a failure is about, or else that a case decides.
    pub fn concerns<'a>(&'a self, case: &'a Case) -> impl Iterator<Item = &'a Statement> {
        let ids = match &case.verdict {
            Conclusion::Fail { broken, .. } if !broken.is_empty() => broken,
            _ => &case.statements,
        };
        ids.iter().filter_map(|id| self.statement(id))
    }

    /// The part of the specification that a case is grouped under: that of the
    /// first statement it decides. Empty if that is not among the statements.
    #[must_use]
    pub fn chapter_of(&self, case: &Case) -> &str {
        let first = case.statements.first();
        let statement = first.and_then(|id| self.statement(id));
        statement.map_or("", |statement| &statement.chapter)
    }

    /// The cases by protocol, then by part of its specification, in the order
    /// of the specifications.
    #[must_use]
    pub fn chapters(&self) -> Vec<Chapter<'_>> {
        let place = |case: &Case| {
            let first = case.statements.first();
            let mut statements = self.statements.iter();
            statements.position(|statement| Some(&statement.id) == first)
        };
        let mut cases: Vec<_> = self.cases.iter().collect();
        // Stable, so that cases of one statement keep the order of the run.
        cases.sort_by_key(|case| (case.protocol, place(case)));
        let mut chapters: Vec<Chapter<'_>> = Vec::new();
        for case in cases {
            let title = self.chapter_of(case);
            match chapters
                .iter_mut()
                .find(|chapter| chapter.protocol == case.protocol && chapter.title == title)
            {
                Some(chapter) => chapter.cases.push(case),
                None => chapters.push(Chapter {
                    protocol: case.protocol,
                    title,
                    cases: vec![case],
                    tally: Tally::default(),
                }),
            }
        }
        for chapter in &mut chapters {
            chapter.tally = Tally::of(self, chapter.cases.iter().copied());
        }
        chapters
    }

    /// The protocols of the cases.
    #[must_use]
    pub fn protocols(&self) -> Vec<Protocol> {
        let mut protocols: Vec<_> = self.cases.iter().map(|case| case.protocol).collect();
        protocols.sort_unstable();
        protocols.dedup();
        protocols
    }

    /// The command that runs one case alone.
    #[must_use]
    pub fn again(&self, case: &Case) -> String {
        let version = match case.protocol {
            Protocol::Mqtt311 => " --mqtt 3.1.1",
            Protocol::Mqtt5 => " --mqtt 5.0",
            Protocol::WebSocket => " --protocol websocket",
        };
        format!("{}{version} --select {}", self.command, case.check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::samples;

    #[test]
    fn a_known_failure_is_no_news_and_one_that_is_gone_is() {
        let mut run = samples::mosquitto();
        assert!(!run.held());
        run.cases
            .retain(|case| run.fixed.is_empty() || case.expected.is_some());
        assert!(!run.held(), "a known failure is gone");
        run.fixed.clear();
        assert!(run.held());
        assert_eq!(run.tally().count(Standing::Known), 1);
    }

    #[test]
    fn in_a_strict_run_a_should_is_a_must() {
        let mut run = samples::mosquitto();
        let lenient = run.tally();
        assert_eq!(lenient.count(Standing::NonStrict), 1);
        run.strict = true;
        assert_eq!(run.tally().count(Standing::NonStrict), 0);
        assert_eq!(
            run.tally().count(Standing::Fail),
            lenient.count(Standing::Fail) + 1
        );
    }

    #[test]
    fn chapters_come_in_the_order_of_the_specifications() {
        let run = samples::mosquitto();
        let titles: Vec<_> = run
            .chapters()
            .iter()
            .map(|chapter| {
                (
                    chapter.protocol,
                    chapter.title.to_owned(),
                    chapter.cases.len(),
                )
            })
            .collect();
        let expected = [
            (Protocol::Mqtt311, "3.1 CONNECT".to_owned(), 2),
            (Protocol::Mqtt5, "3.1 CONNECT".to_owned(), 1),
            (Protocol::Mqtt5, "3.3 PUBLISH".to_owned(), 3),
            (Protocol::Mqtt5, "4.8 Subscriptions".to_owned(), 1),
        ];
        assert_eq!(titles, expected);
    }

    #[test]
    fn the_command_again_runs_one_case() {
        let run = samples::mosquitto();
        assert_eq!(
            run.again(&run.cases[0]),
            "squall conform --target mosquitto --mqtt 3.1.1 --select connect-reserved-flag"
        );
    }
}

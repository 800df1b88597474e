//! What a check is.

use crate::bench::Bench;
use crate::finding::Outcome;
use crate::server::BoxFuture;
use squall_reports::conformance::Protocol;

/// A check under way.
pub type Task = BoxFuture<'static, Outcome>;

/// How a check is started.
pub type CheckRun = fn(Bench) -> Task;

/// One check: a function, and the statements it decides.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Its name in kebab case, unlike any other's.
    pub name: &'static str,
    /// The statements that it decides, qualified by version. It runs in the
    /// versions that they belong to.
    pub statements: &'static [&'static str],
    /// Whether it would disturb others or be disturbed, and so runs alone.
    pub alone: bool,
    /// Starts it.
    pub run: CheckRun,
}

impl Check {
    /// A check that may run beside others.
    #[must_use]
    pub const fn new(
        name: &'static str,
        statements: &'static [&'static str],
        run: CheckRun,
    ) -> Self {
        Self {
            name,
            statements,
            alone: false,
            run,
        }
    }

    /// The same, with the server to itself: it restarts it, or fills it up.
    #[must_use]
    pub const fn alone(self) -> Self {
        Self {
            alone: true,
            ..self
        }
    }

    /// The statements it decides in one protocol.
    pub fn decides(&self, protocol: Protocol) -> impl Iterator<Item = &'static str> {
        let all = self.statements.iter().copied();
        all.filter(move |statement| protocol_of(statement) == protocol)
    }

    /// The protocols it runs in.
    #[must_use]
    pub fn protocols(&self) -> Vec<Protocol> {
        let all = [Protocol::Mqtt311, Protocol::Mqtt5, Protocol::WebSocket];
        let runs_in = |protocol: &Protocol| self.decides(*protocol).next().is_some();
        all.into_iter().filter(runs_in).collect()
    }
}

/// The protocol a statement belongs to, by its qualified id.
pub(crate) fn protocol_of(statement: &str) -> Protocol {
    if statement.starts_with("MQTT311-") {
        Protocol::Mqtt311
    } else if statement.starts_with("MQTT5-") {
        Protocol::Mqtt5
    } else {
        Protocol::WebSocket
    }
}

/// The rows of a section's checks: name, statements and function of each.
macro_rules! checks {
    ($($name:literal [$($statement:literal),+ $(,)?] $run:path $(, $alone:ident)?;)*) => {
        pub(crate) const CHECKS: &[$crate::check::Check] = &[
            $($crate::check::Check::new($name, &[$($statement),+], |bench| {
                Box::pin($run(bench))
            })$(.$alone())?,)*
        ];
    };
}
pub(crate) use checks;

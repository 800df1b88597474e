//! A network of one's own, for brokers that listen on every interface whatever
//! they are told: in a network namespace of Linux there is no interface but
//! loopback, for the broker and for us.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

/// Set by us, for us, in such a network.
const MARK: &str = "SQUALL_PRIVATE_NETWORK";

/// Why there is no network of one's own.
#[derive(Debug, thiserror::Error)]
#[error("no network namespace of one's own can be had here ({0})")]
pub struct PrivateNetworkError(String);

/// Whether this process is in a network of its own.
#[must_use]
pub fn in_private_network() -> bool {
    std::env::var_os(MARK).is_some_and(|value| !value.is_empty())
}

/// Starts this process anew in a network of its own, with the same arguments; it
/// returns only when that is not possible. It takes `unshare` (util-linux) and
/// `ip` (iproute2), and to be root or to be allowed user namespaces.
///
/// # Errors
/// Always: why it is not possible.
#[cfg(unix)]
pub fn enter_private_network(
    squall: &Path,
    arguments: impl IntoIterator<Item = OsString>,
) -> PrivateNetworkError {
    use std::os::unix::process::CommandExt as _;

    // Root needs no user namespace, and keeps its rights outside of one.
    for user in [&[][..], &["--map-root-user"]] {
        let unshare = |script: &str| {
            let mut command = Command::new("unshare");
            command.arg("--net").args(user);
            command.args(["--", "sh", "-c", script, "sh"]);
            command
        };
        let tried = unshare("ip link set lo up")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        match tried {
            Ok(status) if status.success() => {}
            Ok(_) => continue,
            Err(error) => return PrivateNetworkError(format!("unshare: {error}")),
        }
        let error = unshare("ip link set lo up && exec \"$@\"")
            .arg(squall)
            .args(arguments)
            .env(MARK, "1")
            .exec();
        return PrivateNetworkError(error.to_string());
    }
    PrivateNetworkError("`unshare --net ip link set lo up` fails".to_owned())
}

/// Never possible here.
///
/// # Errors
/// Always.
#[cfg(not(unix))]
pub fn enter_private_network(
    _squall: &Path,
    _arguments: impl IntoIterator<Item = OsString>,
) -> PrivateNetworkError {
    PrivateNetworkError("it takes Linux".to_owned())
}

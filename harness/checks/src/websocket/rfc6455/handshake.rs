//! The opening handshake (sections 4.2 and 4.4), extensions in it (section 9)
//! and what the closing of TLS below means (section 4.2.2).

use crate::bench::Bench;
use crate::check::checks;
use crate::finding::{Finding, Outcome, ensure};
use crate::websocket::WebSocket;
use crate::websocket::frame::Frame;
use crate::websocket::handshake::{OTHER_KEY, Request, Response, accept};

checks! {
    "ws-malformed-header" ["RFC6455-4.2.1-1"] malformed_header;
    "ws-only-get-upgrades" ["RFC6455-4.2.1-2"] only_get;
    "ws-http-1-1-is-needed" ["RFC6455-4.2.1-3"] http_1_1;
    "ws-host-is-needed" ["RFC6455-4.2.1-4"] host;
    "ws-upgrade-names-websocket" ["RFC6455-4.2.1-5"] upgrade;
    "ws-connection-names-upgrade" ["RFC6455-4.2.1-6"] connection;
    "ws-key-is-needed" ["RFC6455-4.2.1-7"] key;
    "ws-version-is-needed" ["RFC6455-4.2.1-8"] version;
    "ws-order-of-headers" ["RFC6455-4.2.1-9"] order_of_headers;
    "wss-tls-comes-first" ["RFC6455-4.2.2-1"] tls_comes_first;
    "ws-foreign-origin" ["RFC6455-4.2.2-2"] foreign_origin;
    "ws-unsupported-version" ["RFC6455-4.2.2-3"] unsupported_version;
    "ws-unserved-path" ["RFC6455-4.2.2-4"] unserved_path;
    "ws-subprotocol-was-offered" ["RFC6455-4.2.2-5"] subprotocol_was_offered;
    "ws-no-subprotocol-no-header" ["RFC6455-4.2.2-6"] no_subprotocol_no_header;
    "ws-extension-was-offered" ["RFC6455-4.2.2-7", "RFC6455-9-1"] extension_was_offered;
    "ws-status-101" ["RFC6455-4.2.2-8"] status_101;
    "ws-answer-says-upgrade" ["RFC6455-4.2.2-9"] answer_says_upgrade;
    "ws-answer-says-connection" ["RFC6455-4.2.2-10"] answer_says_connection;
    "ws-accept-fits-key" ["RFC6455-4.2.2-11"] accept_fits_key;
    "ws-listed-versions-are-spoken" ["RFC6455-4.4-1"] listed_versions_are_spoken;
    "ws-malformed-extensions" ["RFC6455-9.1-1"] malformed_extensions;
}

const KEY: &str = "Sec-WebSocket-Key";
const VERSION: &str = "Sec-WebSocket-Version";
const PROTOCOL: &str = "Sec-WebSocket-Protocol";
const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

fn request(bench: &Bench) -> Outcome<Request> {
    Ok(bench.endpoint()?.request())
}

/// The request must not be answered with a WebSocket, but with an error of HTTP
/// or the end.
async fn refused(bench: &Bench, request: Request, why: &str) -> Outcome<Option<Response>> {
    let expected = format!("an HTTP error, since {why}");
    let mut socket = bench.dial_websocket("client").await?;
    match socket.request(&request).await {
        Err(Finding::Fail { actual, .. }) => Err(Finding::fail(expected, actual)),
        Err(other) => Err(other),
        Ok(Some(response)) if response.opens() || response.status < 300 => {
            Err(Finding::fail(expected, response.status_line))
        }
        Ok(other) => Ok(other),
    }
}

/// The request must be answered with a WebSocket.
async fn accepted(bench: &Bench, request: Request, though: &str) -> Outcome<(WebSocket, Response)> {
    let expected = format!("status 101, {though}");
    let (socket, response) = bench.ask("client", &request).await?;
    match response {
        Some(response) if response.opens() => Ok((socket, response)),
        Some(response) => Err(Finding::fail(expected, response.status_line)),
        None => Err(Finding::fail(expected, "the end of the connection")),
    }
}

/// The answer to a request with nothing wrong.
async fn answer(bench: &Bench) -> Outcome<Response> {
    let request = request(bench)?;
    let (_, response) = accepted(bench, request, "since nothing is wrong").await?;
    Ok(response)
}

async fn malformed_header(bench: Bench) -> Outcome {
    for line in ["this is no header", "X-Squall: \u{1}\u{2}", "X Squall: 1"] {
        let request = request(&bench)?.line(line);
        refused(&bench, request, &format!("{line:?} is no header line")).await?;
    }
    Ok(())
}

async fn only_get(bench: Bench) -> Outcome {
    for method in ["POST", "PUT"] {
        let request = request(&bench)?.method(method);
        refused(&bench, request, &format!("{method} upgrades nothing")).await?;
    }
    Ok(())
}

async fn http_1_1(bench: Bench) -> Outcome {
    let request = request(&bench)?.version("HTTP/1.0");
    refused(&bench, request, "HTTP/1.0 has no upgrades").await?;
    Ok(())
}

async fn host(bench: Bench) -> Outcome {
    let request = request(&bench)?.without("Host");
    refused(&bench, request, "Host is missing").await?;
    Ok(())
}

async fn upgrade(bench: Bench) -> Outcome {
    let missing = request(&bench)?.without("Upgrade");
    refused(&bench, missing, "Upgrade is missing").await?;
    let other = request(&bench)?.with("Upgrade", "h2c");
    refused(&bench, other, "Upgrade names h2c").await?;
    for name in ["WebSocket", "WEBSOCKET"] {
        let request = request(&bench)?.with("Upgrade", name);
        accepted(&bench, request, "in whatever case Upgrade is written").await?;
    }
    Ok(())
}

async fn connection(bench: Bench) -> Outcome {
    let missing = request(&bench)?.without("Connection");
    refused(&bench, missing, "Connection is missing").await?;
    let other = request(&bench)?.with("Connection", "keep-alive");
    refused(&bench, other, "Connection names keep-alive only").await?;
    for value in ["keep-alive, Upgrade", "upgrade", "UPGRADE"] {
        let request = request(&bench)?.with("Connection", value);
        accepted(&bench, request, &format!("with Connection: {value}")).await?;
    }
    Ok(())
}

/// Whether the key is decoded at all is left to the server: "it is not
/// necessary for the server to base64-decode" it (section 4.2.2).
async fn key(bench: Bench) -> Outcome {
    let missing = request(&bench)?.without(KEY);
    refused(&bench, missing, "the key is missing").await?;
    let empty = request(&bench)?.with(KEY, "");
    refused(&bench, empty, "the key is empty").await?;
    let mut lenient = None;
    for (key, why) in [
        ("c2hvcnQgb25lIG9mIDE1", "15 bytes"),
        ("this is no base64 at all", "no Base64"),
    ] {
        let request = request(&bench)?.with(KEY, key);
        let refusal = refused(&bench, request, &format!("the key is {why}")).await;
        match refusal {
            Err(Finding::Fail { expected, actual }) => {
                lenient = Some(Finding::NonStrict { expected, actual });
            }
            other => drop(other?),
        }
    }
    lenient.map_or(Ok(()), Err)
}

async fn version(bench: Bench) -> Outcome {
    let missing = request(&bench)?.without(VERSION);
    refused(&bench, missing, "the version is missing").await?;
    Ok(())
}

async fn order_of_headers(bench: Bench) -> Outcome {
    let request = request(&bench)?
        .line("X-Squall: is not known to anybody")
        .shuffled();
    accepted(&bench, request, "in whatever order and case headers come").await?;
    Ok(())
}

async fn tls_comes_first(bench: Bench) -> Outcome {
    let request = request(&bench)?;
    let mut socket = bench.dial_below_tls("client").await?;
    match socket.request(&request).await {
        Ok(Some(response)) => {
            let expected = "no WebSocket without TLS";
            ensure(!response.opens(), expected, response.status_line)
        }
        // An alert of TLS, or the end.
        Ok(None) | Err(Finding::Fail { .. }) => Ok(()),
        Err(other) => Err(other),
    }
}

async fn foreign_origin(bench: Bench) -> Outcome {
    let foreign = bench.endpoint()?.foreign_origin.as_deref();
    let foreign = foreign.ok_or_else(|| Finding::skip("an origin that may not connect"))?;
    let request = request(&bench)?.with("Origin", foreign);
    let why = format!("pages of {foreign} may not connect");
    refused(&bench, request, &why).await?;
    Ok(())
}

async fn unsupported_version(bench: Bench) -> Outcome {
    for number in ["12", "25"] {
        let request = request(&bench)?.with(VERSION, number);
        let why = format!("version {number} is not spoken");
        let response = refused(&bench, request, &why).await?;
        let listed = response.map(|response| response.list("sec-websocket-version"));
        let listed = listed.unwrap_or_default();
        ensure(
            listed.iter().any(|one| one == "13"),
            "an HTTP error with Sec-WebSocket-Version: 13",
            match listed.is_empty() {
                true => "none that lists a version".to_owned(),
                false => format!("Sec-WebSocket-Version: {}", listed.join(", ")),
            },
        )?;
    }
    Ok(())
}

async fn unserved_path(bench: Bench) -> Outcome {
    let path = bench.endpoint()?.unserved_path.as_deref();
    let path = path.ok_or_else(|| Finding::skip("a path at which nothing is served"))?;
    let request = request(&bench)?.path(path);
    refused(&bench, request, &format!("there is nothing at {path}")).await?;
    Ok(())
}

/// The subprotocols that are agreed upon when these are offered; none if the
/// server refuses.
async fn agreed(bench: &Bench, offered: Option<&str>) -> Outcome<Vec<String>> {
    let request = request(bench)?.without(PROTOCOL);
    let request = match offered {
        Some(offered) => request.with(PROTOCOL, offered),
        None => request,
    };
    let (_, response) = bench.ask("client", &request).await?;
    let opened = response.filter(Response::opens);
    let values = opened
        .iter()
        .flat_map(|response| response.values("sec-websocket-protocol"));
    Ok(values.map(str::to_owned).collect())
}

async fn subprotocol_was_offered(bench: Bench) -> Outcome {
    for offered in [None, Some("squall.invalid")] {
        let agreed = agreed(&bench, offered).await?;
        let unoffered = agreed
            .iter()
            .find(|one| !one.is_empty() && Some(one.as_str()) != offered);
        if let Some(unoffered) = unoffered {
            let offered = offered.unwrap_or("none");
            let expected = format!("no subprotocol but one on offer, which is {offered}");
            return Err(Finding::fail(
                expected,
                format!("{unoffered} is agreed upon"),
            ));
        }
    }
    Ok(())
}

async fn no_subprotocol_no_header(bench: Bench) -> Outcome {
    let agreed = agreed(&bench, Some("squall.invalid")).await?;
    let expected = "no Sec-WebSocket-Protocol when none is agreed upon";
    ensure(
        agreed.iter().all(|one| !one.is_empty()),
        expected,
        "an empty one",
    )
}

async fn extension_was_offered(bench: Bench) -> Outcome {
    for offered in [None, Some("x-squall"), Some("permessage-deflate")] {
        let request = request(&bench)?;
        let request = match offered {
            Some(offered) => request.with(EXTENSIONS, offered),
            None => request,
        };
        let (_, response) = accepted(&bench, request, "whatever extensions are on offer").await?;
        let named = response.list("sec-websocket-extensions");
        let unoffered = named.iter().find(|extension| {
            let name = extension.split(';').next().unwrap_or_default();
            Some(name.trim()) != offered
        });
        if let Some(unoffered) = unoffered {
            let offered = offered.unwrap_or("none");
            let expected = format!("no extension but one on offer, which is {offered}");
            return Err(Finding::fail(expected, format!("{unoffered} is named")));
        }
    }
    Ok(())
}

/// With nothing between its head and the frames.
async fn status_101(bench: Bench) -> Outcome {
    let request = request(&bench)?;
    let (mut socket, response) = accepted(&bench, request, "since nothing is wrong").await?;
    let right = response.status_line.starts_with("HTTP/1.1 101");
    ensure(right, "HTTP/1.1 101", response.status_line)?;
    if let Some(line) = response.malformed {
        return Err(Finding::fail("headers of HTTP", format!("{line:?}")));
    }
    socket.send(&Frame::ping("first")).await?;
    socket.until_pong(b"first").await?;
    Ok(())
}

async fn answer_says_upgrade(bench: Bench) -> Outcome {
    let named = answer(&bench).await?.list("upgrade");
    ensure(
        named.len() == 1 && named[0].eq_ignore_ascii_case("websocket"),
        "Upgrade: websocket",
        format!("{named:?}"),
    )
}

async fn answer_says_connection(bench: Bench) -> Outcome {
    let named = answer(&bench).await?.list("connection");
    ensure(
        named.iter().any(|one| one.eq_ignore_ascii_case("upgrade")),
        "Connection: Upgrade",
        format!("{named:?}"),
    )
}

async fn accept_fits_key(bench: Bench) -> Outcome {
    let request = request(&bench)?;
    for request in [request.clone(), request.with(KEY, OTHER_KEY)] {
        let right = accept(request.key());
        let (_, response) = accepted(&bench, request, "since nothing is wrong").await?;
        let accepts: Vec<_> = response.values("sec-websocket-accept").collect();
        let expected = format!("Sec-WebSocket-Accept: {right}");
        ensure(accepts == [right], expected, accepts.join(", "))?;
    }
    Ok(())
}

async fn listed_versions_are_spoken(bench: Bench) -> Outcome {
    let unspoken = request(&bench)?.with(VERSION, "25");
    let response = refused(&bench, unspoken, "version 25 is not spoken").await?;
    let listed = response.map(|response| response.list("sec-websocket-version"));
    for version in listed.unwrap_or_default() {
        let request = request(&bench)?.with(VERSION, &version);
        let though = format!("since it says that it speaks version {version}");
        accepted(&bench, request, &though).await?;
    }
    Ok(())
}

/// It may be refused, or opened and then failed.
async fn malformed_extensions(bench: Bench) -> Outcome {
    let request = request(&bench)?.with(EXTENSIONS, "; =,");
    let (mut socket, response) = bench.ask("client", &request).await?;
    match response {
        Some(response) if response.opens() => {
            socket
                .until_failed("the list of extensions is malformed")
                .await?;
            Ok(())
        }
        _ => Ok(()),
    }
}

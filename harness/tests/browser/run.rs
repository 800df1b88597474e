//! The page of a run.

use serde_json::{Value, json};

use super::{Browser, figure, pictures, place, support, tables};

/// A fault that cuts one of two fleets off.
const SCENARIO: &str = "scenarios/faults/partition-long.toml";

/// Fleets that speak every protocol, all in TLS.
const IN_TLS: &str = "scenarios/overhead/tls.toml";

/// The page of a run, and its report as JSON.
fn page(scenario: &str, name: &str) -> (String, Value) {
    let file = place(name);
    let path = file.to_str().expect("UTF-8");
    let arguments = [
        "run", scenario, "--quiet", "--format", "json", "--html", path,
    ];
    let output = support::squall(arguments);
    let report = serde_json::from_str(support::stdout(&output)).expect("a report");
    (format!("file://{path}"), report)
}

#[tokio::test]
async fn the_page_of_a_run_shows_what_its_json_says_and_can_be_zoomed_and_filtered() {
    let Some(mut browser) = Browser::start().await else {
        return;
    };
    let (url, report) = page(SCENARIO, "run.html");
    browser.show_at(1280, false).await;
    browser.open(&url).await;

    has_the_figures_of(&report, &mut browser).await;
    zooms(&mut browser).await;
    filters(&mut browser).await;
    tells_a_message(&mut browser).await;
    assert_eq!(browser.errors(), [""; 0]);
    pictures(&mut browser, "run").await;
    assert_eq!(browser.errors(), [""; 0]);
}

#[tokio::test]
async fn the_page_of_a_run_tells_every_protocol_and_tls() {
    let Some(mut browser) = Browser::start().await else {
        return;
    };
    let (url, report) = page(IN_TLS, "run-tls.html");
    browser.show_at(1280, false).await;
    browser.open(&url).await;

    // What each fleet's handshakes and connections cost, as the JSON has it.
    let tables = tables(&mut browser).await;
    let fleets = report["fleets"].as_array().expect("fleets");
    for cost in fleets {
        let (name, bytes) = (cost["fleet"].as_str().expect("a name"), &cost["bytes"]);
        for (row, key) in [
            ("TLS handshake", "tls_handshake"),
            ("TLS", "tls"),
            ("HTTP", "http"),
            ("WebSocket", "websocket"),
        ] {
            let both = ["up", "down"].map(|way| bytes[way][key].as_u64().expect("bytes"));
            let both = both.iter().sum();
            assert_eq!(figure(&tables, row, name), Some(both), "{name}, {row}");
        }
    }
    let bars = "document.querySelectorAll('.roomy rect.layer-tls_handshake').length";
    let bars = browser.evaluate(bars).await.as_u64();
    assert!(bars >= Some(2 * fleets.len() as u64), "{bars:?}");

    // A message over each, as it is drawn.
    for (publisher, packets) in [
        ("meter-1", json!(["PUBLISH 1", "PUBACK 1"])),
        ("gauge-1", json!(["data frame", "acknowledgement"])),
        ("poster-1", json!(["POST", "response to POST"])),
    ] {
        let drawn = browser
            .evaluate(&format!(
                "(() => {{
                    const told = [...document.querySelectorAll('details.message')]
                        .filter((it) => it.dataset.parties.split('\\n')[0] === '{publisher}');
                    told.forEach((it) => {{ it.open = true; sequence(it); }});
                    const clean = told.find((it) => !it.querySelector('.steps tr.lost'));
                    return [...clean.querySelectorAll('.sequence .packet')]
                        .map((text) => text.textContent);
                }})()"
            ))
            .await;
        let drawn = drawn.as_array().expect("texts");
        for packet in packets.as_array().expect("texts") {
            let without_id = |text: &Value| {
                let text = text.as_str().unwrap_or_default();
                text.trim_end_matches(|c: char| c.is_ascii_digit())
                    .to_owned()
            };
            let has = drawn
                .iter()
                .any(|text| without_id(text) == without_id(packet));
            assert!(has, "{publisher}: no {packet} in {drawn:?}");
        }
    }
    browser.open(&url).await;
    assert_eq!(browser.errors(), [""; 0]);
    pictures(&mut browser, "run-tls").await;
    assert_eq!(browser.errors(), [""; 0]);
}

async fn has_the_figures_of(report: &Value, browser: &mut Browser) {
    let tables = tables(browser).await;
    let bytes = &report["bytes"];
    for (row, up, down) in [
        (
            "payload",
            &bytes["up"]["payload"],
            &bytes["down"]["payload"],
        ),
        ("MQTT", &bytes["up"]["mqtt"], &bytes["down"]["mqtt"]),
        ("TCP/IP", &bytes["up"]["tcp_ip"], &bytes["down"]["tcp_ip"]),
        ("on the wire", &bytes["on_wire_up"], &bytes["on_wire_down"]),
    ] {
        assert_eq!(figure(&tables, row, "up, B"), up.as_u64(), "{row}");
        assert_eq!(figure(&tables, row, "down, B"), down.as_u64(), "{row}");
    }
    let flow = &report["arrived"]["flows"][0];
    let fleet = flow["fleet"].as_str().expect("a name");
    for count in ["published", "delivered", "lost"] {
        let value = flow["counts"][count].as_u64();
        assert_eq!(figure(&tables, fleet, count), value, "{count}");
    }
    let site = &report["weather"]["sites"][0];
    let name = site["site"].as_str().expect("a name");
    assert_eq!(
        figure(&tables, name, "packets"),
        site["up"]["sent"].as_u64()
    );
}

/// The part of the run that is shown, in units of the timeline.
async fn shown(browser: &mut Browser) -> (f64, f64) {
    let part = browser
        .evaluate(
            "document.querySelector('.device svg.lane').getAttribute('viewBox').split(' ').map(Number)",
        )
        .await;
    let at = |index: usize| part[index].as_f64().expect("a number");
    (at(0), at(0) + at(2))
}

async fn zooms(browser: &mut Browser) {
    let (from, to) = shown(browser).await;
    assert_eq!(from, 0.0);
    browser.click("[data-zoom=in]", 0.5).await;
    let (first, last) = shown(browser).await;
    assert_eq!((first, last), (to / 4.0, to * 3.0 / 4.0), "by a button");
    browser
        .evaluate("document.querySelector('.timeline').focus()")
        .await;
    browser.press("ArrowRight", 1).await;
    assert_eq!(shown(browser).await.0, to * 3.0 / 8.0, "by keyboard");
    browser.press("Home", 1).await;
    assert_eq!(shown(browser).await, (from, to));

    // To a fault: its band fills a good part of what is shown.
    let fault = browser
        .evaluate(
            "(() => {
                const select = document.querySelector('.zoom select');
                select.selectedIndex = 1;
                select.dispatchEvent(new Event('change'));
                return select.value.split(' ').map(Number);
            })()",
        )
        .await;
    let (first, last) = shown(browser).await;
    let (begins, lasts) = (fault[0].as_f64(), fault[1].as_f64());
    assert!(Some(first) <= begins && begins < Some(last), "{fault}");
    assert!(lasts >= Some((last - first) / 4.0), "{fault}");
    let clock = browser
        .evaluate("document.querySelector('.zoom output').textContent")
        .await;
    assert!(
        clock.as_str().is_some_and(|text| text.contains('─')),
        "{clock}"
    );
    browser.click("[data-zoom=whole]", 0.5).await;
    assert_eq!(shown(browser).await, (from, to));

    // By drawing over a lane, from a quarter of it to its half.
    browser
        .evaluate(
            "(() => {
                const lane = document.querySelector('.row .lane.count');
                const { left, top, width } = lane.getBoundingClientRect();
                const point = (kind, share) => lane.dispatchEvent(new PointerEvent(kind, {
                    bubbles: true, button: 0, clientX: left + width * share, clientY: top + 5,
                }));
                point('pointerdown', 0.25);
                point('pointermove', 0.5);
                point('pointerup', 0.5);
            })()",
        )
        .await;
    let (first, last) = shown(browser).await;
    let near = |one: f64, other: f64| (one - other).abs() < to / 100.0;
    assert!(
        near(first, to / 4.0) && near(last, to / 2.0),
        "{first} to {last}"
    );
    browser.click("[data-zoom=whole]", 0.5).await;
}

/// How many of these are not hidden.
async fn visible(browser: &mut Browser, selector: &str) -> Value {
    let count = format!(
        "[...document.querySelectorAll('{selector}')].filter((it) => it.getClientRects().length).length"
    );
    browser.evaluate(&count).await
}

async fn tick(browser: &mut Browser, selector: &str) {
    let click = format!("document.querySelector('{selector}').click()");
    browser.evaluate(&click).await;
}

async fn filters(browser: &mut Browser) {
    let lanes = visible(browser, ".row .lane.traffic").await;
    assert_eq!(lanes, json!(1));
    tick(browser, "input[name=kind][value=traffic]").await;
    assert_eq!(visible(browser, ".row .lane.traffic").await, json!(0));
    tick(browser, "input[name=kind][value=traffic]").await;

    let rows = visible(browser, ".row.device").await;
    tick(browser, "input[name=fleet][value=anemometer]").await;
    let fewer = visible(browser, ".row.device").await;
    assert!(fewer.as_u64() < rows.as_u64(), "{fewer} of {rows}");
    assert_eq!(visible(browser, "details.message").await, json!(0));
    tick(browser, "input[name=fleet][value=anemometer]").await;

    let id = "document.querySelector('details.message code').textContent";
    let id = browser.evaluate(id).await;
    let search = |text: &Value| {
        format!(
            "(() => {{
                const search = document.querySelector('input[type=search]');
                search.value = {text};
                search.dispatchEvent(new Event('input', {{ bubbles: true }}));
            }})()"
        )
    };
    browser.evaluate(&search(&id)).await;
    let left = visible(browser, "details.message").await.as_u64();
    assert!(left.is_some_and(|left| (1..20).contains(&left)), "{left:?}");
    browser.evaluate(&search(&json!(""))).await;
    assert_eq!(visible(browser, ".row.device").await, rows);
}

async fn tells_a_message(browser: &mut Browser) {
    // A dot of the timeline leads to it.
    let followed = browser
        .evaluate(
            "new Promise((followed) => {
                const dot = document.querySelector('.dot');
                addEventListener('hashchange', () => setTimeout(() => followed(location.hash), 50));
                dot.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }));
            })",
        )
        .await;
    assert!(
        followed
            .as_str()
            .is_some_and(|hash| hash.starts_with("#message-"))
    );
    let drawn = browser
        .evaluate(
            "(() => {
                const details = document.getElementById(location.hash.slice(1));
                const packets = [...details.querySelectorAll('.steps tr[data-to]')];
                const drawn = [...details.querySelectorAll('.sequence .packet')];
                return {
                    open: details.open,
                    packets: packets.map((row) => row.querySelector('.says').textContent),
                    drawn: drawn.map((text) => text.textContent),
                };
            })()",
        )
        .await;
    assert_eq!(drawn["open"], json!(true));
    let (packets, drawn) = (&drawn["packets"], &drawn["drawn"]);
    assert!(packets.as_array().is_some_and(|packets| packets.len() > 1));
    assert_eq!(packets, drawn, "the drawing has what the table has");
}

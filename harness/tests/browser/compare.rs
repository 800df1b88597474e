//! The page of a comparison.

use serde_json::{Value, json};

use super::{Browser, figure, pictures, place, support, tables};

/// The page of a comparison, and its report as JSON.
fn page() -> (String, Value) {
    let (page, report) = (place("compare.html"), place("compare.json"));
    let [page, file] = [&page, &report].map(|path| path.to_str().expect("UTF-8"));
    let words = [
        "compare",
        "scenarios/overhead/readings.toml",
        "--protocols",
        "mqtt,mqtt5",
        "--sweep",
        "readings_per_session=1,10,100",
        "--sweep",
        "loss=0,10%",
        "--seeds",
        "1..2",
        "--quiet",
        "--out",
        page,
        "--out",
        file,
    ];
    support::stdout(&support::squall(words));
    let text = std::fs::read(&report).expect("a report");
    let report = serde_json::from_slice(&text).expect("JSON");
    (format!("file://{page}"), report)
}

#[tokio::test]
async fn the_page_of_a_comparison_shows_what_its_json_says() {
    let Some(mut browser) = Browser::start().await else {
        return;
    };
    let (url, report) = page();
    browser.show_at(1280, false).await;
    browser.open(&url).await;

    // Closed parts of a page have no text that is shown, but their cells have.
    let tables = tables(&mut browser).await;
    let cell = &report["cells"][0];
    let protocol = cell["protocol"].as_str().expect("a token");
    for (row, key) in [
        ("published", "published"),
        ("delivered", "delivered"),
        ("packets", "packets"),
    ] {
        let median = cell["figures"][key]["median"].as_u64();
        let first = tables.iter().position(|table| table[0][0] == "figure");
        let first = first.expect("a table of figures");
        let text = figure(&tables[first..=first], row, protocol);
        assert_eq!(text, median, "{key}");
    }

    // Each axis has its pictures, and every line in them its protocol.
    let pictures_of_axes = browser
        .evaluate("document.querySelectorAll('.picture .roomy polyline.series-1').length")
        .await;
    assert!(pictures_of_axes.as_u64() >= Some(2), "{pictures_of_axes}");

    // A search leaves the conditions that it names.
    let points = report["cells"].as_array().expect("cells").len() / 2;
    let visible =
        "[...document.querySelectorAll('details.point')].filter((it) => !it.hidden).length";
    assert_eq!(browser.evaluate(visible).await, json!(points));
    browser
        .evaluate(
            "(() => {
                const search = document.querySelector('input[type=search]');
                search.value = '100 readings';
                search.dispatchEvent(new Event('input', { bubbles: true }));
            })()",
        )
        .await;
    assert_eq!(browser.evaluate(visible).await, json!(points / 3));
    browser
        .evaluate(
            "(() => {
                const search = document.querySelector('input[type=search]');
                search.value = '';
                search.dispatchEvent(new Event('input', { bubbles: true }));
                document.querySelectorAll('details')[1].open = true;
            })()",
        )
        .await;
    assert_eq!(browser.errors(), [""; 0]);
    pictures(&mut browser, "compare").await;
    assert_eq!(browser.errors(), [""; 0]);
}

//! Pages in a real browser: they open from disk without a complaint, show the
//! figures that the JSON has, and do what they say when somebody filters and zooms.
//!
//! Screenshots of two widths and both themes go where `SQUALL_TEST_SCREENSHOTS`
//! says, to be looked at.

#[path = "../support/browser.rs"]
mod browser;
#[path = "../support/mod.rs"]
mod support;

mod compare;
mod run;

use std::path::PathBuf;

use browser::Browser;
use serde_json::Value;

/// Widths of screens, in pixels: a desk's and a phone's.
const SCREENS: [(u32, &str); 2] = [(1280, "desk"), (390, "phone")];

/// Says something to whoever runs the tests.
#[expect(
    clippy::print_stderr,
    reason = "what was skipped must be seen, and libtest has no other way"
)]
fn say(text: &str) {
    eprintln!("{text}");
}

/// Where pages are left.
fn place(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("browser");
    std::fs::create_dir_all(&directory).expect("created");
    directory.join(name)
}

/// The cells of a page's tables, table by table and row by row, heads included.
async fn tables(browser: &mut Browser) -> Vec<Vec<Vec<String>>> {
    let cells = browser
        .evaluate(
            "[...document.querySelectorAll('table.plain')].map((table) => [...table.rows]
                .map((row) => [...row.cells].map((cell) => cell.textContent)))",
        )
        .await;
    serde_json::from_value(cells).expect("texts")
}

/// The whole number at a column and a row of the table that has them both; a
/// spread behind it is left out.
fn figure(tables: &[Vec<Vec<String>>], row: &str, column: &str) -> Option<u64> {
    tables.iter().find_map(|table| {
        let at = table[0].iter().position(|head| head == column)?;
        let row = table.iter().find(|cells| cells[0] == row)?;
        let (number, _) = row[at].split_once(" (").unwrap_or((&row[at], ""));
        number.replace(',', "").parse().ok()
    })
}

/// Nothing reaches beyond the right edge of the screen, which would make all of
/// the page scroll sideways.
async fn fits(browser: &mut Browser) {
    let beyond = browser
        .evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        .await;
    assert_eq!(beyond, Value::from(0), "the page is wider than its screen");
}

/// No label of a chart that is shown covers another, or reaches out of its chart.
async fn labels_are_apart(browser: &mut Browser) {
    let crowded = browser
        .evaluate(
            "(() => {
                const crowded = [];
                for (const chart of document.querySelectorAll('svg.chart')) {
                    if (!chart.getClientRects().length) continue;
                    const { left, right, top, bottom } = chart.getBoundingClientRect();
                    const texts = [...chart.querySelectorAll('text')]
                        .map((text) => [text.textContent, text.getBoundingClientRect()]);
                    texts.forEach(([text, box], index) => {
                        if (box.left < left - 1 || box.right > right + 1
                            || box.top < top - 1 || box.bottom > bottom + 1)
                            crowded.push(`${text} is beyond its chart`);
                        for (const [other, beside] of texts.slice(index + 1))
                            if (Math.min(box.right, beside.right) - Math.max(box.left, beside.left) > 1
                                && Math.min(box.bottom, beside.bottom) - Math.max(box.top, beside.top) > 3)
                                crowded.push(`${text} and ${other}`);
                    });
                }
                return crowded;
            })()",
        )
        .await;
    assert_eq!(crowded, serde_json::json!([]));
}

/// Nothing was asked of anybody, and whoever has no mouse sees where they are.
async fn stands_alone(browser: &mut Browser) {
    let fetched = "[...document.querySelectorAll('[src], [srcset], link, object, use, image')]
        .map((element) => element.outerHTML)
        .concat([...document.querySelectorAll('style, [style]')]
            .map((element) => element.textContent + element.getAttribute('style'))
            .filter((style) => /url\\(|@import/.test(style)))";
    assert_eq!(browser.evaluate(fetched).await, serde_json::json!([]));
    let focused = "(() => {
        const { tagName } = document.activeElement;
        const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
        return tagName !== 'BODY' && outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
    })()";
    browser
        .evaluate("document.activeElement.blur(), scrollTo(0, 0)")
        .await;
    for _ in 0..6 {
        browser.press("Tab", 1).await;
        let visible = browser.evaluate(focused).await;
        let what = browser.evaluate("document.activeElement.outerHTML").await;
        assert_eq!(visible, Value::from(true), "{what}");
    }
}

/// On paper there is nothing to press, and dark on light.
async fn prints(browser: &mut Browser) {
    browser.show_printed().await;
    let printed = browser
        .evaluate(
            "(() => {
                const shown = [...document.querySelectorAll('.filters, .zoom')]
                    .filter((part) => part.getClientRects().length);
                const { color, backgroundColor } = getComputedStyle(document.body);
                return [shown.length, color, backgroundColor];
            })()",
        )
        .await;
    let light = serde_json::json!([0, "rgb(28, 33, 40)", "rgb(255, 255, 255)"]);
    assert_eq!(printed, light);
}

/// Pictures of the page that is open, in both sizes and both themes.
async fn pictures(browser: &mut Browser, name: &str) {
    for (width, screen) in SCREENS {
        for (dark, theme) in [(false, "light"), (true, "dark")] {
            browser.show_at(width, dark).await;
            fits(browser).await;
            labels_are_apart(browser).await;
            let name = format!("{name}-{screen}-{theme}");
            browser.screenshot(&name).await;
        }
    }
    stands_alone(browser).await;
    prints(browser).await;
}

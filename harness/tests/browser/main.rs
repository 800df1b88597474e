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

/// Pictures of the page that is open, in both sizes and both themes.
async fn pictures(browser: &mut Browser, name: &str) {
    for (width, screen) in SCREENS {
        for (dark, theme) in [(false, "light"), (true, "dark")] {
            browser.show_at(width, dark).await;
            fits(browser).await;
            let name = format!("{name}-{screen}-{theme}");
            browser.screenshot(&name).await;
        }
    }
}

//! The page of `squall demo light`, in a browser: the slider is moved, and the
//! lamps are watched.

use serde_json::json;

use crate::browser::Browser;
use crate::demo::house;

/// Whether all of so many lamps shine at what the slider stands at.
fn lamps_follow(lamps: usize) -> String {
    format!(
        "(() => {{ const lamps = [...document.querySelectorAll('#lamps li')]; \
         const slider = document.getElementById('slider').value; \
         return lamps.length === {lamps} \
         && lamps.every((lamp) => lamp.dataset.percent === slider); }})()"
    )
}

const CONNECTED: &str = "document.getElementById('connection').dataset.state === 'connected'";
const AWAY: &str = "document.getElementById('connection').dataset.state === 'away'";

async fn slider(browser: &mut Browser) -> u64 {
    let value = browser
        .evaluate("Number(document.getElementById('slider').value)")
        .await;
    value.as_u64().expect("a percentage")
}

/// What stands in an element.
async fn text(browser: &mut Browser, id: &str) -> String {
    let text = format!("document.getElementById({}).textContent", json!(id));
    let text = browser.evaluate(&text).await;
    text.as_str().expect("it is there").to_owned()
}

/// Three lamps, and one behind the hub.
const LAMPS: usize = 4;

#[tokio::test]
async fn every_lamp_ends_at_the_last_intensity_set() {
    let Some(mut browser) = Browser::start().await else {
        return;
    };
    let house = house();
    browser.show_at(1280, false).await;
    browser.open(house.url("http")).await;
    browser.wait_for(CONNECTED).await;

    // By mouse, then by keyboard.
    browser.click("#slider", 0.7).await;
    let clicked = slider(&mut browser).await;
    assert!((60..80).contains(&clicked), "{clicked}");
    browser.press("ArrowRight", 3).await;
    assert_eq!(slider(&mut browser).await, clicked + 3);
    browser.wait_for(&lamps_follow(LAMPS)).await;
    let has = format!("the broker has {} %", clicked + 3);
    assert_eq!(text(&mut browser, "fate").await, has);
    assert_eq!(browser.errors(), [""; 0]);
    browser.screenshot("light-set").await;

    // The broker restarts. Meanwhile the slider moves and a lamp joins.
    browser.click("#broker", 0.5).await;
    browser.wait_for(AWAY).await;
    browser
        .wait_for("!document.querySelector('#lamps li[data-connected=true]:not(:last-child)')")
        .await;
    browser
        .evaluate("document.getElementById('slider').focus()")
        .await;
    browser.press("Home", 1).await;
    browser.press("ArrowRight", 15).await;
    assert_eq!(
        text(&mut browser, "fate").await,
        "waits for the broker: 15 %"
    );
    browser.click("#plug-in", 0.5).await;
    browser
        .wait_for("document.querySelectorAll('#lamps li').length === 5")
        .await;
    let lamps = "[...document.querySelectorAll('#lamps li')].map((lamp) => lamp.dataset.percent)";
    let old = json!((clicked + 3).to_string());
    let dark = json!([old, old, old, "", old]);
    assert_eq!(
        browser.evaluate(lamps).await,
        dark,
        "lamps stay as they are"
    );
    browser.screenshot("light-broker-off").await;
    browser.click("#broker", 0.5).await;
    browser.wait_for(&lamps_follow(LAMPS + 1)).await;
    browser
        .wait_for("document.getElementById('fate').textContent === 'the broker has 15 %'")
        .await;
    assert_eq!(slider(&mut browser).await, 15);

    // The Wi-Fi drops out while the slider moves.
    browser.click("#wifi", 0.5).await;
    browser
        .wait_for("document.getElementById('wifi').ariaChecked === 'false'")
        .await;
    browser
        .evaluate("document.getElementById('slider').focus()")
        .await;
    browser.press("End", 1).await;
    browser
        .wait_for("document.getElementById('fate').textContent === 'the broker has 100 %'")
        .await;
    // Not behind the Wi-Fi: its hub polls.
    browser
        .wait_for("document.querySelector('#lamps li:last-child').dataset.percent === '100'")
        .await;
    let first = "document.querySelector('#lamps li').dataset.percent";
    assert_eq!(browser.evaluate(first).await, json!("15"));
    browser.click("#wifi", 0.5).await;
    browser.wait_for(&lamps_follow(LAMPS + 1)).await;

    // A late joiner, when nobody sets anything any more.
    browser.click("#plug-in", 0.5).await;
    browser.wait_for(&lamps_follow(LAMPS + 2)).await;
    assert_eq!(slider(&mut browser).await, 100);

    // The dimmer on the wall, by keyboard: the slider follows.
    browser
        .evaluate("document.getElementById('dimmer').focus()")
        .await;
    browser.press("Home", 1).await;
    browser.press("ArrowRight", 2).await;
    browser
        .wait_for("document.getElementById('slider').value === '10'")
        .await;
    browser.wait_for(&lamps_follow(LAMPS + 2)).await;

    // A browser says so itself when it cannot connect, and nothing else is wrong.
    let errors = browser.errors();
    let refused = |error: &String| error.contains("ERR_CONNECTION_REFUSED");
    assert!(errors.iter().all(refused), "{errors:#?}");
}

#[tokio::test]
async fn it_fits_phones_and_both_themes_and_works_by_keyboard() {
    let Some(mut browser) = Browser::start().await else {
        return;
    };
    let house = house();
    browser.open(house.url("http")).await;
    browser.wait_for(CONNECTED).await;
    browser
        .wait_for("document.querySelectorAll('#lamps li').length === 4")
        .await;

    // Everything that can be operated is reached in its order, and named.
    let mut reached = Vec::new();
    for _ in 0..8 {
        browser.press("Tab", 1).await;
        let name = "(() => { const element = document.activeElement; \
                    return (element.labels?.[0] ?? element).textContent; })()";
        reached.push(browser.evaluate(name).await);
    }
    let month = text(&mut browser, "month").await;
    let named = [
        "Light",
        "Broker",
        "Wi-Fi",
        "Plug in a lamp",
        "Turned to",
        "Speed 100",
        "Speed 0",
    ];
    let expected: Vec<_> = named
        .iter()
        .map(|name| json!(name))
        .chain([json!(month)])
        .collect();
    assert_eq!(reached, expected);

    // By keyboard alone.
    browser
        .evaluate("document.getElementById('slider').focus()")
        .await;
    browser.press("End", 1).await;
    browser.press("ArrowLeft", 40).await;
    browser.wait_for(&lamps_follow(LAMPS)).await;
    browser.press("Tab", 3).await;
    browser.press("Enter", 1).await;
    browser.wait_for(&lamps_follow(LAMPS + 1)).await;

    let mut grounds = Vec::new();
    for (width, dark) in [(1280, false), (1280, true), (360, false), (360, true)] {
        browser.show_at(width, dark).await;
        let fits = "document.documentElement.scrollWidth <= window.innerWidth";
        assert_eq!(browser.evaluate(fits).await, json!(true), "{width} pixels");
        grounds.push(
            browser
                .evaluate("getComputedStyle(document.body).backgroundColor")
                .await,
        );
        let theme = if dark { "dark" } else { "light" };
        browser.screenshot(&format!("light-{width}-{theme}")).await;
    }
    assert_eq!((&grounds[0], &grounds[1]), (&grounds[2], &grounds[3]));
    assert_ne!(grounds[0], grounds[1], "two themes");
    assert_eq!(browser.errors(), [""; 0]);
}

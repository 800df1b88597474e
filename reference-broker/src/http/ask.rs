//! What a client of the REST server asks for, by the method and the URL of its
//! request.

use std::time::Duration;

use hyper::header::{self, HeaderName};
use hyper::{Method, StatusCode, Uri};

use crate::refusal::Refusal;
use crate::sensors::{Name, name, number};

/// A sensor of a group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Id {
    pub(super) group: Name,
    pub(super) sensor: Name,
}

/// What is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Ask {
    /// That a reading is taken, which may have a number.
    Post { id: Id, number: Option<u64> },
    /// A sensor's latest reading.
    Latest { id: Id, wait: Duration },
    /// A group's readings after a position.
    Feed {
        group: Name,
        after: u64,
        wait: Duration,
    },
}

/// What is at a path.
enum Resource {
    Sensor(Id),
    Feed(Name),
}

impl Ask {
    /// What this request is for.
    pub(super) fn parse(method: &Method, url: &Uri) -> Result<Self, Refusal> {
        const READ: (HeaderName, &str) = (header::ALLOW, "GET, HEAD");
        const READ_AND_POST: (HeaderName, &str) = (header::ALLOW, "GET, HEAD, POST");
        let resource = Resource::parse(url.path()).ok_or(Refusal::new(
            StatusCode::NOT_FOUND,
            "there are /sensor/GROUP.SENSOR and /sensors/GROUP",
        ))?;
        let mut query = Query::parse(url.query().unwrap_or_default())?;
        let ask = match (resource, method) {
            (Resource::Sensor(id), &Method::POST) => Self::Post {
                id,
                number: query.take("n")?,
            },
            (Resource::Sensor(id), &(Method::GET | Method::HEAD)) => Self::Latest {
                id,
                wait: query.wait()?,
            },
            (Resource::Feed(group), &(Method::GET | Method::HEAD)) => Self::Feed {
                group,
                after: query.take("after")?.unwrap_or(0),
                wait: query.wait()?,
            },
            (resource, _) => {
                return Err(Refusal {
                    status: StatusCode::METHOD_NOT_ALLOWED,
                    headers: match resource {
                        Resource::Sensor(_) => &[READ_AND_POST],
                        Resource::Feed(_) => &[READ],
                    },
                    reason: "readings are taken with POST and given with GET",
                });
            }
        };
        if let Self::Post {
            number: Some(0), ..
        } = ask
        {
            return Err(Refusal::new(Refusal::BAD, "readings are numbered from 1"));
        }
        query.done().map(|()| ask)
    }
}

impl Resource {
    fn parse(path: &str) -> Option<Self> {
        if let Some(group) = path.strip_prefix("/sensors/") {
            return name(group).map(Self::Feed);
        }
        let (group, sensor) = path.strip_prefix("/sensor/")?.split_once('.')?;
        Some(Self::Sensor(Id {
            group: name(group)?,
            sensor: name(sensor)?,
        }))
    }
}

/// Numbers by name, none of which may be left over.
struct Query<'a>(Vec<(&'a str, u64)>);

impl<'a> Query<'a> {
    fn parse(query: &'a str) -> Result<Self, Refusal> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (key, value) = pair.split_once('=')?;
            Some((key, number(value)?))
        });
        let pairs: Option<_> = pairs.collect();
        let bad = Refusal::new(Refusal::BAD, "the query has what is no number");
        pairs.map(Self).ok_or(bad)
    }

    fn take(&mut self, key: &str) -> Result<Option<u64>, Refusal> {
        let place = self.0.iter().position(|(one, _)| *one == key);
        let value = place.map(|place| self.0.swap_remove(place).1);
        match self.0.iter().any(|(one, _)| *one == key) {
            false => Ok(value),
            true => Err(Refusal::new(Refusal::BAD, "the query has something twice")),
        }
    }

    /// In whole seconds.
    fn wait(&mut self) -> Result<Duration, Refusal> {
        Ok(Duration::from_secs(self.take("wait")?.unwrap_or(0)))
    }

    fn done(self) -> Result<(), Refusal> {
        let known = self.0.is_empty();
        let unknown = Refusal::new(Refusal::BAD, "the query has what is unknown here");
        known.then_some(()).ok_or(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn parse(method: Method, url: &str) -> Result<Ask, Refusal> {
        Ask::parse(&method, &url.parse().expect("a URL"))
    }

    fn id(group: &str, sensor: &str) -> Id {
        Id {
            group: group.into(),
            sensor: sensor.into(),
        }
    }

    #[rstest]
    #[case("/sensor/valley.t-1", id("valley", "t-1"), None)]
    #[case(
        "/sensor/valley.t-1.temperature?n=12",
        id("valley", "t-1.temperature"),
        Some(12)
    )]
    #[case("http://server/sensor/a.b?", id("a", "b"), None)]
    #[case("/sensor/a..b", id("a", ".b"), None)]
    fn a_reading_is_posted_to_its_sensor(
        #[case] url: &str,
        #[case] id: Id,
        #[case] number: Option<u64>,
    ) {
        let asked = parse(Method::POST, url).expect("well-formed");
        assert_eq!(asked, Ask::Post { id, number });
    }

    #[rstest]
    #[case("/sensors/valley", 0, 0)]
    #[case("/sensors/valley?after=17", 17, 0)]
    #[case("/sensors/valley?wait=30&after=17", 17, 30)]
    fn a_feed_goes_on_after_a_position(#[case] url: &str, #[case] after: u64, #[case] wait_s: u64) {
        for method in [Method::GET, Method::HEAD] {
            let expected = Ask::Feed {
                group: "valley".into(),
                after,
                wait: Duration::from_secs(wait_s),
            };
            assert_eq!(parse(method, url).expect("well-formed"), expected);
        }
    }

    #[test]
    fn a_sensor_is_polled_at_once_or_in_time() {
        for (url, wait_s) in [("/sensor/a.b", 0), ("/sensor/a.b?wait=5", 5)] {
            let expected = Ask::Latest {
                id: id("a", "b"),
                wait: Duration::from_secs(wait_s),
            };
            assert_eq!(parse(Method::GET, url).expect("well-formed"), expected);
        }
    }

    #[rstest]
    #[case(Method::GET, "/", 404)]
    #[case(Method::OPTIONS, "*", 404)]
    #[case(Method::POST, "/sensor/valley", 404)]
    #[case(Method::POST, "/sensor/.t-1", 404)]
    #[case(Method::POST, "/sensor/valley.", 404)]
    #[case(Method::POST, "/sensor/valley.t-1/", 404)]
    #[case(Method::POST, "/sensor/valley.t%2d1", 404)]
    #[case(Method::GET, "/sensors/", 404)]
    #[case(Method::GET, "/sensors/a/b", 404)]
    #[case(Method::GET, &format!("/sensors/{}", "a".repeat(65)), 404)]
    #[case(Method::PUT, "/sensor/valley.t-1", 405)]
    #[case(Method::POST, "/sensors/valley", 405)]
    #[case(Method::POST, "/sensor/valley.t-1?n=", 400)]
    #[case(Method::POST, "/sensor/valley.t-1?n=0", 400)]
    #[case(Method::POST, "/sensor/valley.t-1?n=-1", 400)]
    #[case(Method::POST, "/sensor/valley.t-1?n", 400)]
    #[case(Method::POST, "/sensor/valley.t-1?n=1&n=2", 400)]
    #[case(Method::POST, "/sensor/valley.t-1?wait=1", 400)]
    #[case(Method::GET, "/sensor/valley.t-1?after=1", 400)]
    #[case(Method::GET, "/sensors/valley?after=18446744073709551616", 400)]
    fn nothing_else_is_served(#[case] method: Method, #[case] url: &str, #[case] status: u16) {
        let refusal = parse(method, url).expect_err("refused");
        assert_eq!(refusal.status.as_u16(), status, "{refusal:?}");
    }
}

//! What faults strike, by its name, and how many devices of it.

use squall_reports::figures;

use super::super::super::diagnostic::{ScenarioError, unknown};
use super::super::super::document::fault::FaultTable;
use super::super::super::document::scalar::Name;
use super::super::super::document::value::At;
use super::super::super::fault::{Chosen, Target};
use super::super::super::text::Complaint;
use super::super::super::{Fleet, Site};
use super::super::Resolver;
use super::rule::{Place, Rule};

impl Resolver<'_> {
    pub(super) fn target(
        &self,
        table: &FaultTable,
        rule: &Rule,
        sites: &[Site],
        fleets: &[Fleet],
    ) -> Result<Target, ScenarioError> {
        if rule.place == Place::Server {
            if let Some(At { value, span }) = &table.server
                && value.0 != "broker"
            {
                return Err(self.error(span, unknown("server", &value.0, &["broker"])));
            }
            return Ok(Target::Server(0));
        }
        let site_only = rule.place == Place::Site;
        match (&table.site, &table.fleet) {
            (Some(site), None) => {
                let index = self.site_index(site, sites)?;
                let devices = fleets.iter().filter(|fleet| fleet.site == index);
                let devices: u64 = devices.map(|fleet| u64::from(fleet.count)).sum();
                if devices == 0 {
                    return Err(self.error(
                        &site.span,
                        Complaint::new(
                            format!("a fault at `{}`, where no device is", site.value.0),
                            "nobody there",
                            "put a fleet there (`site` of [[fleet]]), or strike another site",
                        ),
                    ));
                }
                Ok(Target::Site(index, self.chosen(table, devices)?))
            }
            (None, Some(fleet)) => {
                let index = self.fleet_index(fleet, fleets)?;
                let devices = u64::from(fleets[index].count);
                Ok(Target::Fleet(index, self.chosen(table, devices)?))
            }
            (Some(_), Some(fleet)) => Err(self.error(
                &fleet.span,
                Complaint::new(
                    "a fault that strikes a site and a fleet",
                    "one of them",
                    "write a [[fault]] for each",
                ),
            )),
            (None, None) => Err(self.error(
                &table.kind.span,
                Complaint::new(
                    "a fault, but not where",
                    "where?",
                    if site_only {
                        format!("add `site = \"{}\"`", sites[0].name)
                    } else {
                        format!(
                            "add `site = \"{}\"` or `fleet = \"{}\"`",
                            sites[0].name, fleets[0].name
                        )
                    },
                ),
            )),
        }
    }

    fn site_index(&self, name: &At<Name>, sites: &[Site]) -> Result<usize, ScenarioError> {
        let known: Vec<&str> = sites.iter().map(|site| site.name.as_str()).collect();
        let index = known.iter().position(|known| *known == name.value.0);
        index.ok_or_else(|| self.error(&name.span, unknown("site", &name.value.0, &known)))
    }

    pub(super) fn fleet_index(
        &self,
        name: &At<Name>,
        fleets: &[Fleet],
    ) -> Result<usize, ScenarioError> {
        let known: Vec<&str> = fleets.iter().map(|fleet| fleet.name.as_str()).collect();
        let index = known.iter().position(|known| *known == name.value.0);
        index.ok_or_else(|| self.error(&name.span, unknown("fleet", &name.value.0, &known)))
    }

    /// Which of the `all` devices there are.
    fn chosen(&self, table: &FaultTable, all: u64) -> Result<Chosen, ScenarioError> {
        match (&table.devices, &table.share) {
            (None, None) => Ok(Chosen::All),
            (Some(devices), None) if u64::from(devices.value.0) <= all => {
                Ok(Chosen::Number(devices.value.0))
            }
            (Some(devices), None) => Err(self.error(
                &devices.span,
                Complaint::new(
                    format!(
                        "{} of {}",
                        figures::counted(devices.value.0.into(), "device"),
                        figures::count(all)
                    ),
                    "not that many",
                    "leave it out to strike all of them",
                ),
            )),
            (None, Some(share)) if share.value.0 > 0.0 => Ok(Chosen::Share(share.value.0)),
            (None, Some(share)) => Err(self.error(
                &share.span,
                Complaint::new(
                    "a fault that strikes nobody",
                    "no share at all",
                    "write more than \"0%\"",
                ),
            )),
            (Some(_), Some(share)) => Err(self.error(
                &share.span,
                Complaint::new(
                    "a number of devices and a share of them",
                    "one of them",
                    "write `devices = 3` or `share = \"10%\"`",
                ),
            )),
        }
    }
}

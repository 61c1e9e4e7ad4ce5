//! Roles and features that must not be installed.

use super::registry::{NO_SERVICES, control, look, services};
use crate::{Case, Outcome};
use mercat_domain::finding::Place;

/// A role or feature: its names in the server's component cache, and the services that come with it.
/// Services that every edition has are not in the list.
pub(super) struct Feature {
    names: &'static [&'static str],
    services: &'static [&'static str],
}

pub(super) const CLUSTER: Feature = Feature { names: &["Failover-Clustering"], services: &["ClusSvc"] };
pub(super) const DHCP: Feature = Feature { names: &["DHCP"], services: &["DHCPServer"] };
pub(super) const HYPER_V: Feature = Feature { names: &["Hyper-V"], services: &["vmms"] };
pub(super) const REMOTE_ACCESS: Feature =
    Feature { names: &["RemoteAccess", "DirectAccess-VPN", "Routing"], services: &["RaMgmtSvc"] };
pub(super) const RIGHTS: Feature =
    Feature { names: &["ADRMS", "ADRMS-Server"], services: &["AdRmsLoggingService"] };
pub(super) const DEPLOYMENT: Feature =
    Feature { names: &["WDS", "WDS-Deployment", "WDS-Transport"], services: &["WDSServer"] };
pub(super) const ISNS: Feature = Feature { names: &["ISNS"], services: &["MSiSNS"] };
pub(super) const MULTIPATH: Feature = Feature { names: &["Multipath-IO"], services: &["msdsm"] };
pub(super) const BALANCING: Feature = Feature { names: &["NLB"], services: &["WLBS"] };
pub(super) const PEER_NAMES: Feature = Feature { names: &["PNRP"], services: &[] };
pub(super) const SNMP: Feature = Feature { names: &["SNMP-Service"], services: &["SNMP"] };
pub(super) const WINS: Feature = Feature { names: &["WINS"], services: &["WINS"] };
pub(super) const WIRELESS: Feature = Feature { names: &["Wireless-Networking"], services: &[] };

const CACHE: &str = "Microsoft\\ServerManager\\ServicingStorage\\ServerComponentCache";
/// `Start` of a service that is disabled.
const DISABLED: u32 = 4;

/// A feature is not in the component cache as installed, and none of its services can start.
pub(super) fn absent(case: &Case<'_>, feature: &Feature) -> Outcome {
    let required = "not installed";
    let cached = look(case, "software", required, |hive| {
        for name in feature.names {
            let key = hive.key(&format!("{CACHE}\\{name}"))?;
            let state = key.map(|key| key.value("InstallState")).transpose()?.flatten();
            if state.and_then(|value| value.number()) == Some(1) {
                return Ok(Outcome::found(
                    Place::default(),
                    format!("the feature {name} is installed"),
                    required,
                ));
            }
        }
        Ok(Outcome::passed("not among the installed features", required))
    });
    if cached.status != crate::Status::Passed {
        return cached;
    }
    look(case, "system", required, |hive| {
        if services(hive)?.is_none() {
            return Ok(Outcome::inconclusive(NO_SERVICES, required));
        }
        for service in feature.services {
            let key = control(hive, &format!("Services\\{service}"))?;
            let start = key.map(|key| key.value("Start")).transpose()?.flatten();
            if start.and_then(|value| value.number()).is_some_and(|start| start != DISABLED) {
                return Ok(Outcome::found(
                    Place::default(),
                    format!("the service {service} can start"),
                    required,
                ));
            }
        }
        Ok(Outcome::passed("neither feature nor service is there", required))
    })
}

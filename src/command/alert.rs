//! `hip3 alert`

use clap::Args;

use crate::alerts::{self, Answer, Sender};
use crate::command::{ConfigArgs, Failure, print};
use crate::runtime::os::{host_name, load_alert_url};

/// Sends one test alert to where the config sends alerts, and says what came of it.
///
/// The URL is taken from the file that alerts.url_file names (mode 0600) or from HIP3_ALERT_URL, as a
/// run takes it; only its host is ever shown. The alert is sent whether or not alerts.enabled is set,
/// once, and no limit counts. Exit code 1 says that it was not taken, 2 that there is no URL.
#[derive(Debug, Args)]
pub(crate) struct Alert {
    #[command(flatten)]
    config: ConfigArgs,
}

impl Alert {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let config = self.config.load()?;
        let address = load_alert_url(&config.alerts).map_err(Failure::usage)?;
        let host = address.host().to_owned();
        let sender = Sender { run_id: String::new(), mode: config.mode, host: host_name() };
        match alerts::test(&config.alerts, address, sender) {
            Answer::Taken(status) => {
                print(&format!("{host} answered {status}: the test alert was taken\n"))?;
                match config.alerts.enabled {
                    true => Ok(()),
                    false => print("alerts.enabled is false: a run sends none\n"),
                }
            }
            Answer::Busy { .. } => Err(not_taken(&host, "429: it takes no more for a while")),
            Answer::Failed(why) => Err(not_taken(&host, &why)),
            Answer::Refused(status) => Err(not_taken(&host, &refusal(status))),
        }
    }
}

fn not_taken(host: &str, why: &str) -> Failure {
    Failure::runtime(format!("{host}: the test alert was not taken: {why}"))
}

/// What a refusal is mostly about.
fn refusal(status: u16) -> String {
    let hint = match status {
        300..=399 => ": redirects are not followed",
        401 | 403 | 404 => ": it does not know the path, or the secret in it",
        400 | 422 => ": it does not understand the body; alerts.format may be another's",
        _ => "",
    };
    format!("status {status}{hint}")
}

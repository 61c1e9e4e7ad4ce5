//! The command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use mercat_certify::disk::{OpenPort, OsFamily, Protocol};
use mercat_disk::Declared;
use mercat_domain::OfferKey;
use mercat_text::Locale;
use std::path::PathBuf;

/// A marketplace where goods are inspected before they may be sold.
///
/// Start with `mercat demo`: it publishes a small image from draft to live and shows every turn.
#[derive(Parser)]
#[command(name = "mercat", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Where everything is kept: database, blobs, regions, key, configuration (mercat.toml).
    #[arg(long, global = true, env = "MERCAT_DATA", default_value_os_t = crate::config::default_data())]
    pub(crate) data: PathBuf,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str =
    "Exit codes: 0 certified or done, 1 findings block, 2 inconclusive or our fault, 64 usage.";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run portal, API, registry and workers in one process.
    Serve(ServeArgs),
    /// Run workers only, on further machines with the same PostgreSQL and storage.
    Worker,
    /// Print a fresh one-time sign-in link for the operator.
    SignInLink,
    /// Show the main job from draft to live on a throw-away server.
    Demo(DemoArgs),
    /// Inspect an image on this machine, without a server, exactly as the server would.
    Certify(CertifyArgs),
    /// Write the bill of materials of an image or disk, without certifying it.
    ///
    /// The same inventory as in a certification, in a fraction of the time: no scanner looks, and nothing is judged.
    Sbom(SbomArgs),
    /// Known vulnerabilities: import OSV records.
    #[command(subcommand)]
    Advisories(AdvisoriesCommand),
    /// Signatures of known malware: compile what scanners use, and show what is in use.
    #[command(subcommand)]
    Signatures(SignaturesCommand),
    /// Policies: print those that come with the program, and test your own.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Secrets at rest: change the master key.
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// Check this installation and say what to do about what is missing.
    Doctor,
    /// Work with offers on a server.
    Offer(OfferArgs),
    /// Fetch, verify and start what a plan sells, or write files that start it elsewhere.
    Deploy(DeployArgs),
}

/// Work on secrets at rest.
#[derive(Subcommand)]
pub(crate) enum SecretsCommand {
    /// Make a new master key and wrap every secret under it. May run beside servers, and be run again.
    Rotate {
        /// The key before, where the new one comes from the environment or a credential.
        #[arg(long)]
        from: Option<PathBuf>,
    },
}

/// Where a deployment goes.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// Virtual machine: start it here under QEMU.
    Qemu,
    /// Virtual machine: start it here under libvirt.
    Libvirt,
    /// Virtual machine: write a containerDisk and a VirtualMachine.
    Kubevirt,
    /// Virtual machine: write a script for Glance, with image properties by SCS-0102.
    Openstack,
    /// Virtual machine: write a script for a Proxmox VE node.
    Proxmox,
    /// Container: write a Deployment.
    Kubernetes,
    /// Container: write a Compose file.
    Compose,
    /// Container: write an IoT Edge deployment manifest.
    IotEdge,
}

impl Target {
    pub(crate) fn is_for_containers(self) -> bool {
        matches!(self, Self::Kubernetes | Self::Compose | Self::IotEdge)
    }

    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// The address of a server, without what a path may end with.
fn server(text: &str) -> Result<String, String> {
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        Ok(_) | Err(url::ParseError::RelativeUrlWithoutBase) => {
            Err("it begins with https:// or http://, for example https://market.example.org".to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

#[derive(Args)]
pub(crate) struct DeployArgs {
    /// publisher:offer:plan:version; the version may be latest.
    pub(crate) urn: String,
    /// The server.
    #[arg(long, env = "MERCAT_SERVER", value_parser = server, default_value = "http://127.0.0.1:8080")]
    pub(crate) server: String,
    /// API token of scope publish; make one on the Account page.
    #[arg(long, env = "MERCAT_TOKEN", default_value = "", hide_env_values = true)]
    pub(crate) token: String,
    /// Subscription into which it is deployed.
    #[arg(long, env = "MERCAT_SUBSCRIPTION", default_value = "")]
    pub(crate) subscription: String,
    /// Where to; qemu for virtual machines and kubernetes for containers when not given.
    #[arg(long, value_enum)]
    pub(crate) to: Option<Target>,
    /// Deploy what is in preview.
    #[arg(long)]
    pub(crate) preview: bool,
    /// Accept the plan's terms for the subscription without asking.
    #[arg(long)]
    pub(crate) accept_terms: bool,
    /// Directory for disks and files; named after offer, plan and version when not given.
    #[arg(short, long)]
    pub(crate) out: Option<PathBuf>,
    /// Memory of the virtual machine in MiB.
    #[arg(long, default_value_t = 2048)]
    pub(crate) memory: u32,
    /// Start with UEFI firmware instead of BIOS.
    #[arg(long)]
    pub(crate) uefi: bool,
    /// Leave the machine running in the background.
    #[arg(long)]
    pub(crate) detach: bool,
}

#[derive(Args)]
pub(crate) struct ServeArgs {
    /// Address and port to listen on; overrides server.listen.
    #[arg(long, value_parser = listen, value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,
}

#[derive(Args)]
pub(crate) struct DemoArgs {
    /// Publish this image instead of the built-in one.
    #[arg(long, value_name = "REFERENCE")]
    pub(crate) image: Option<String>,
    /// End when the story is told, instead of serving on.
    #[arg(long)]
    pub(crate) exit: bool,
    /// Address and port to listen on; 127.0.0.1:8080, or a free port when that is taken.
    #[arg(long, value_parser = listen, value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,
}

#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct CertifyArgs {
    /// oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE or HOST/REPOSITORY:TAG (of Docker Hub without HOST); or a
    /// disk of a virtual machine: FILE.vhd, .vhdx, .qcow2, .vmdk, .raw or .img
    pub(crate) image: String,
    /// How to print the verdict: text or json. An older name of --format; where both are given, --format counts.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
    /// The form of the report. The document itself is json; the server serves the same forms.
    #[arg(long, value_enum)]
    pub(crate) format: Option<ReportFormat>,
    /// Write the report into this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Colour in text: auto is yes on a terminal, unless NO_COLOR is set.
    #[arg(long, value_enum, default_value_t = Colour::Auto)]
    pub(crate) color: Colour,
    /// Columns at which text is wrapped; the terminal's when not given, and none without a terminal.
    #[arg(long, value_parser = columns)]
    pub(crate) width: Option<usize>,
    /// Language of text, sarif, junit and html: en or ja; that of LANG when not given.
    #[arg(long, value_parser = language)]
    pub(crate) lang: Option<Locale>,
    /// Policy pack instead of the data directory's: default, legacy-2017, legacy-2021, or a file.
    #[arg(long)]
    pub(crate) policy: Option<PathBuf>,
    /// Format of the disk, where the name of its file does not say: raw, vhd, vhdx, qcow2 or vmdk.
    #[arg(long, value_parser = disk_format)]
    pub(crate) disk_format: Option<Declared>,
    /// Operating system that the offer declares for the disk: linux or windows.
    #[arg(long, value_parser = os_family, conflicts_with = "data_disk")]
    pub(crate) os: Option<OsFamily>,
    /// It is a data disk, without an operating system.
    #[arg(long)]
    pub(crate) data_disk: bool,
    /// Port that the plan opens, for example 443, 443/tcp or 53/udp; repeat for more.
    #[arg(long = "open-port", value_parser = open_port)]
    pub(crate) open_ports: Vec<OpenPort>,
    /// The plan declares that nobody connects to the machine: no SSH server and no Remote Desktop is wanted of the disk.
    #[arg(long)]
    pub(crate) no_remote_connection: bool,
    /// The plan declares that it supports extensions: the disk must have what they need.
    #[arg(long)]
    pub(crate) extensions: bool,
    /// Advisory snapshot instead of the data directory's.
    #[arg(long)]
    pub(crate) advisories: Option<PathBuf>,
    /// Statements about vulnerabilities: an OpenVEX or CycloneDX document; repeat for more.
    #[arg(long)]
    pub(crate) vex: Vec<PathBuf>,
    /// Write the SBOM of each image into this directory, as CycloneDX 1.6 and as SPDX 2.3 (JSON).
    #[arg(long)]
    pub(crate) sbom: Option<PathBuf>,
    /// Keep in this directory what was found of each layer of a container image, and read only what is new next
    /// time. What is kept is used only for the same digests, rules, advisories and program; blobs whose digest and size are
    /// known are not read again. The directory must be yours alone.
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// How a registry is reached.
#[derive(Args)]
pub(crate) struct RegistryArgs {
    /// User name for the registry.
    #[arg(long, default_value = "")]
    pub(crate) username: String,
    /// File that holds the registry password or token.
    #[arg(long)]
    pub(crate) password_file: Option<PathBuf>,
    /// Registry host:port that may be private or plain http, for example 127.0.0.1:5000.
    #[arg(long)]
    pub(crate) allow: Vec<String>,
}

#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 whole, 1 parts of the image are refused, 2 parts could not be read or our \
                        fault, 64 usage. What is missing is told on standard error."
)]
pub(crate) struct SbomArgs {
    /// oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE or HOST/REPOSITORY:TAG (of Docker Hub without HOST); or a
    /// disk of a virtual machine: FILE.vhd, .vhdx, .qcow2, .vmdk, .raw or .img
    pub(crate) image: String,
    /// The form of the document: CycloneDX 1.6 or SPDX 2.3, both in JSON.
    #[arg(long, value_enum, default_value_t = SbomFormat::Cyclonedx)]
    pub(crate) format: SbomFormat,
    /// Write the documents into this directory, in both forms, instead of one to standard output. Needed for images
    /// of several platforms, of which each has its own.
    #[arg(long, value_name = "DIR", conflicts_with = "format")]
    pub(crate) out: Option<PathBuf>,
    /// Format of the disk, where the name of its file does not say: raw, vhd, vhdx, qcow2 or vmdk.
    #[arg(long, value_parser = disk_format)]
    pub(crate) disk_format: Option<Declared>,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// The form of a bill of materials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SbomFormat {
    /// CycloneDX 1.6.
    Cyclonedx,
    /// SPDX 2.3.
    Spdx,
}

#[derive(Subcommand)]
pub(crate) enum SignaturesCommand {
    /// Compile signature files into this installation's set, which they replace as a whole.
    ///
    /// Read are ClamAV's .ndb (byte patterns), .hdb and .hsb (hashes), and plain lines: `HEX_OF_SHA256:SIZE:NAME` with `*`
    /// for any size, or `name=hexadecimal`. All parts of a pattern must lie within 65,536 bytes: gaps without a limit
    /// of their own share what the others leave. What is not searched for is counted and told, by reason.
    Import {
        /// Signature files.
        #[arg(required = true, value_parser = existing)]
        paths: Vec<PathBuf>,
    },
    /// Check and show the compiled set.
    Show,
}

#[derive(Subcommand)]
pub(crate) enum AdvisoriesCommand {
    /// Add OSV records (JSON, YAML, zip), the KEV catalogue (JSON) and EPSS (CSV, also .gz) to the snapshot.
    ///
    /// Records that are not newer than those that are there are kept as they are. Data that is older than
    /// what is there is refused. Exit code 2: the snapshot was made, and something could not be read, which is not in it.
    Import {
        /// Files, directories or https URLs.
        #[arg(required = true, value_parser = source)]
        sources: Vec<String>,
        /// Take data that is older than what is there.
        #[arg(long)]
        allow_older: bool,
        /// Forget what is there, and keep only what is imported now.
        #[arg(long)]
        replace: bool,
    },
    /// Read the whole snapshot and compare it with the digest of its import.
    Verify,
    /// Show what the snapshot holds.
    Show,
}

#[derive(Subcommand)]
pub(crate) enum PolicyCommand {
    /// Print a policy pack, the eligibility policy, or the schema of verdicts; without a name, what there is.
    Show {
        /// default, legacy-2017, legacy-2021, eligibility or schema.
        name: Option<String>,
    },
    /// Run the test cases of your eligibility policy and print a table.
    #[command(after_long_help = POLICY_TEST)]
    Test {
        /// Directory with .rego and .json files and, as NAME.case.json, the cases.
        #[arg(default_value = ".", value_parser = existing)]
        directory: PathBuf,
    },
}

const POLICY_TEST: &str = r#"A policy, eligible.rego:

  package mercat.eligibility
  import rego.v1

  findings contains {
    "rule": "ELG-ARM", "severity": "error", "place": {"platform": image.platform},
    "observed": "an image for arm", "required": "an image for amd64", "fix": "leave it out",
  } if {
    some image in input.verdict.images
    startswith(image.platform, "linux/arm")
  }

A case, arm.case.json; `mercat certify IMAGE --format json` prints a whole verdict to put there:

  {"note": "arm is refused",
   "verdict": {"images": [{"platform": "linux/arm64", "layers": []}]},
   "expect": [{"rule": "ELG-ARM", "severity": "error"}]}

Then name the files in mercat.toml:

  [certification]
  eligibility = ["eligible.rego"]

Exit codes: 0 all passed, 1 a case failed, 2 a policy that cannot be evaluated or no case at all."#;

#[derive(Args)]
pub(crate) struct OfferArgs {
    /// The server.
    #[arg(long, global = true, env = "MERCAT_SERVER", value_parser = server, default_value = "http://127.0.0.1:8080")]
    pub(crate) server: String,
    /// API token; make one on the Account page.
    #[arg(long, global = true, env = "MERCAT_TOKEN", default_value = "", hide_env_values = true)]
    pub(crate) token: String,
    /// How to print.
    #[arg(long, global = true, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
    #[command(subcommand)]
    pub(crate) command: OfferCommand,
}

/// What an offer sells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A container image in a registry.
    Container,
    /// The disks of a virtual machine.
    VirtualMachine,
}

#[derive(Subcommand)]
pub(crate) enum OfferCommand {
    /// Write an offer.yaml to fill in, with placeholder logos beside it.
    Init {
        /// publisher/offer
        #[arg(value_parser = offer_key)]
        offer: OfferKey,
        /// What is sold.
        #[arg(long = "type", value_enum, default_value_t = Kind::Container)]
        kind: Kind,
        /// Where to write.
        #[arg(short, long, default_value = "offer.yaml")]
        file: PathBuf,
    },
    /// Save offer.yaml as the draft; shows what changes.
    Apply {
        /// The file.
        #[arg(short, long, default_value = "offer.yaml")]
        file: PathBuf,
        /// Only show what would change.
        #[arg(long)]
        dry_run: bool,
    },
    /// Print the draft as the server has it.
    Show {
        /// publisher/offer
        #[arg(value_parser = offer_key)]
        offer: OfferKey,
    },
    /// List the offers of a publisher.
    List {
        /// Publisher id.
        publisher: String,
    },
    /// Upload a disk image in parts; prints the source to write into a version. Run it again to go on.
    Upload {
        /// Publisher id.
        publisher: String,
        /// The file.
        #[arg(value_parser = existing)]
        file: PathBuf,
        /// Begin anew, also when an upload of the same name and size stands half way.
        #[arg(long)]
        fresh: bool,
    },
    /// Publish the draft.
    Publish {
        /// publisher/offer
        #[arg(value_parser = offer_key)]
        offer: OfferKey,
        /// Who is told how it goes; repeat for more.
        #[arg(long = "email", required = true)]
        emails: Vec<String>,
        /// Stay and draw the steps until then.
        #[arg(long, value_enum)]
        wait: Option<Until>,
        /// Give up a submission that waits at sign-off.
        #[arg(long)]
        replace: bool,
        /// Notes for certification.
        #[arg(long, default_value = "")]
        notes: String,
    },
    /// Show how the latest submission stands.
    Status {
        /// publisher/offer
        #[arg(value_parser = offer_key)]
        offer: OfferKey,
    },
    /// Take the preview live.
    Golive {
        /// publisher/offer
        #[arg(value_parser = offer_key)]
        offer: OfferKey,
        /// Stay and draw the steps until it is live.
        #[arg(long)]
        wait: bool,
    },
    /// Cancel the active submission.
    Cancel {
        /// publisher/offer
        #[arg(value_parser = offer_key)]
        offer: OfferKey,
    },
}

fn offer_key(text: &str) -> Result<OfferKey, String> {
    let want = "write publisher/offer, each of a-z, 0-9, - and _, at most 50 characters";
    OfferKey::parse(text).ok_or_else(|| want.to_owned())
}

fn listen(text: &str) -> Result<String, String> {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let right = !host.is_empty() && port.parse::<u16>().is_ok();
    right.then(|| text.to_owned()).ok_or_else(|| "write host and port, as in 127.0.0.1:8080".to_owned())
}

/// A file or directory that is there and may be looked at.
fn existing(text: &str) -> Result<PathBuf, String> {
    std::fs::metadata(text).map(|_| PathBuf::from(text)).map_err(|error| crate::certify::in_words(&error))
}

fn source(text: &str) -> Result<String, String> {
    let is_url = ["https://", "http://"].iter().any(|scheme| text.starts_with(scheme));
    if is_url { Ok(text.to_owned()) } else { existing(text).map(|_| text.to_owned()) }
}

fn disk_format(name: &str) -> Result<Declared, String> {
    Declared::parse(name).ok_or_else(|| "use raw, vhd, vhdx, qcow2 or vmdk".to_owned())
}

fn os_family(name: &str) -> Result<OsFamily, String> {
    OsFamily::parse(name).ok_or_else(|| "use linux or windows".to_owned())
}

fn open_port(text: &str) -> Result<OpenPort, String> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return Err("use tcp or udp".to_owned()),
    };
    let port = port.parse().ok().filter(|port| *port > 0).ok_or("a port is a number from 1 to 65535")?;
    Ok(OpenPort { port, protocol })
}

/// Narrower text has no readable column.
fn columns(text: &str) -> Result<usize, String> {
    let columns = text.parse().ok().filter(|columns| *columns >= mercat_report::WIDTH_MIN);
    columns.ok_or_else(|| format!("a number from {}", mercat_report::WIDTH_MIN))
}

fn language(code: &str) -> Result<Locale, String> {
    Locale::ALL.into_iter().find(|locale| locale.code() == code).ok_or_else(|| "use en or ja".to_owned())
}

/// A form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people at a terminal.
    Text,
    /// The verdict document, byte for byte (schema mercat.verdict/1).
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for build servers: a case for each rule.
    Junit,
    /// One page that needs no script and no network.
    Html,
    /// JSON of the self-test of virtual machine images.
    SelfTest,
}

/// When text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Until {
    /// Until the preview is open.
    Preview,
    /// Until it is live; somebody must select Go Live.
    Live,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_server_is_one_before_anything_is_sent() {
        assert_eq!(server("https://market.example.org/").as_deref(), Ok("https://market.example.org"));
        assert_eq!(server("http://127.0.0.1:8080").as_deref(), Ok("http://127.0.0.1:8080"));
        for bad in ["", "foo", "market.example.org", "localhost:8080", "ftp://x", "https://", "http://[::bad"]
        {
            assert!(server(bad).is_err(), "{bad}");
        }
    }
}

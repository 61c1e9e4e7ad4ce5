//! Mercat: a marketplace where goods are inspected before they may be sold.

mod advisories;
mod certify;
mod cli;
mod client;
mod config;
mod demo;
mod deploy;
mod doctor;
mod offer;
mod policy;
mod scratch;
mod secrets;
mod serve;
mod signatures;
mod wiring;

use clap::Parser;
use cli::{Cli, Command};
use std::io::Write;
use std::process::ExitCode;

/// Findings block.
pub(crate) const EXIT_FINDINGS: u8 = 1;
/// Inconclusive, or our fault.
pub(crate) const EXIT_OURS: u8 = 2;
/// Nobody reads what is printed: as of a program that SIGPIPE ends.
const EXIT_PIPE: i32 = 128 + 13;
/// The command line cannot be understood.
pub(crate) const EXIT_USAGE: u8 = 64;

fn main() -> ExitCode {
    // The child of an inspection: nothing is set up that it does not need.
    if std::env::args().nth(1).as_deref() == Some("decode") {
        return ExitCode::from(u8::try_from(mercat_worker::decode::child()).unwrap_or(EXIT_OURS));
    }
    if std::env::args().nth(1).as_deref() == Some("inspect") {
        return ExitCode::from(u8::try_from(mercat_worker::inspect::child()).unwrap_or(EXIT_OURS));
    }
    if std::env::args().nth(1).as_deref() == Some(mercat_boot::confine::SUBCOMMAND) {
        return ExitCode::from(mercat_boot::confine::child());
    }
    if std::env::args().nth(1).as_deref() == Some(mercat_boot::start::SUBCOMMAND) {
        return ExitCode::from(mercat_boot::start::child());
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let help = !error.use_stderr();
            let _ = error.print();
            return ExitCode::from(if help { 0 } else { EXIT_USAGE });
        }
    };
    if !matches!(cli.command, Command::Serve(_) | Command::Worker) {
        stop_when_nobody_reads();
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    log(&cli.command);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return report(&error.into()),
    };
    match runtime.block_on(run(cli)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => report(&error),
    }
}

/// Ends the program in silence when what reads its output is gone, as `head` is after its lines: `println!`
/// panics then, and nobody can read why. Where the output does not fit, that is said.
fn stop_when_nobody_reads() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload().downcast_ref::<String>().map(String::as_str).unwrap_or_default();
        match text.strip_prefix("failed printing to stdout: ") {
            Some(why) if why.contains("Broken pipe") => std::process::exit(EXIT_PIPE),
            Some(why) => {
                let _ = writeln!(std::io::stderr(), "mercat: standard output is closed: {why}");
                std::process::exit(i32::from(EXIT_OURS));
            }
            None if text.starts_with("failed printing to stderr") => std::process::exit(EXIT_PIPE),
            None => usual(panic),
        }
    }));
}

async fn run(cli: Cli) -> anyhow::Result<u8> {
    let data = cli.data;
    match cli.command {
        Command::Serve(args) => serve::serve(&data, &args).await,
        Command::Worker => serve::worker(&data).await,
        Command::SignInLink => serve::sign_in_link(&data).await,
        Command::Demo(args) => demo::run(&args).await,
        Command::Certify(args) => certify::run(&data, &args).await,
        Command::Sbom(args) => certify::sbom::run(&data, &args).await,
        Command::Advisories(command) => advisories::run(&data, &command).await,
        Command::Signatures(command) => signatures::run(&data, &command),
        Command::Policy(command) => policy::run(&command),
        Command::Secrets(command) => secrets::run(&data, &command).await,
        Command::Doctor => doctor::run(&data).await,
        Command::Offer(args) => offer::run(&args).await,
        Command::Deploy(args) => deploy::run(&args).await,
    }
}

/// What whoever called the program can put right: it ends with [`EXIT_USAGE`].
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

#[expect(clippy::print_stderr, reason = "the one place where an error reaches the terminal")]
fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("mercat: {error:#}");
    ExitCode::from(if error.is::<Usage>() { EXIT_USAGE } else { EXIT_OURS })
}

/// Servers log to standard error; commands stay quiet unless `RUST_LOG` says otherwise.
fn log(command: &Command) {
    let level = if matches!(command, Command::Serve(_) | Command::Worker) { "info" } else { "error" };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colour).with_writer(std::io::stderr).init();
}

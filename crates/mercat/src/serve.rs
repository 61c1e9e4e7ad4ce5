//! `mercat serve` and `mercat worker`.

use crate::cli::ServeArgs;
use crate::config::Config;
use crate::doctor::Doctor;
use crate::wiring::{self, House};
use anyhow::Context;
use mercat_app::{App, AppError, Asked, Tally};
use mercat_depot::Resolved;
use mercat_domain::access::Principal;
use mercat_domain::{OfferKey, OfferKind, Plan};
use mercat_store::FindingRow;
use mercat_web::{Site, router};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How often views and pulls are written.
const TALLY_EVERY: std::time::Duration = std::time::Duration::from_secs(5);

/// A running server.
pub(crate) struct Running {
    stop: watch::Sender<bool>,
    tasks: tokio::task::JoinSet<()>,
}

impl Running {
    /// Ends everything in order: no new work, open answers finish, leases go back.
    pub(crate) async fn end(mut self) {
        let _ = self.stop.send(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(std::time::Duration::from_secs(10), all).await;
    }
}

/// Writes what was counted, every few seconds and at the end.
async fn write_tally(app: App, tally: Tally, mut stopped: watch::Receiver<bool>) {
    loop {
        let ends = tokio::time::timeout(TALLY_EVERY, stopped.wait_for(|stop| *stop)).await.is_ok();
        if let Err(error) = app.write_tally(&tally).await {
            tracing::warn!(%error, "views and pulls were not written; trying again");
        }
        if ends {
            return;
        }
    }
}

/// Workers know how sources are read.
struct Resolver(mercat_worker::Worker);

#[async_trait::async_trait]
impl mercat_web::Resolve for Resolver {
    async fn resolve(
        &self,
        key: &OfferKey,
        kind: OfferKind,
        plan: &Plan,
    ) -> Result<Result<Vec<Resolved>, Box<FindingRow>>, AppError> {
        self.0.resolve(key, kind, plan).await
    }
}

/// Starts portal, API, registry and workers on an open listener.
pub(crate) fn start(house: &House, config: &Config, listener: TcpListener) -> Running {
    let (stop, stopped) = watch::channel(false);
    let doctor = Doctor { house: house.clone(), config: config.clone() };
    let site = Site::new(house.app.clone(), house.depot.clone(), house.spool.clone(), stopped.clone())
        .examined_by(Arc::new(doctor))
        .resolved_by(Arc::new(Resolver(house.worker.clone())));
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(write_tally(house.app.clone(), site.tally.clone(), stopped.clone()));
    let mut ending = stopped.clone();
    tasks.spawn(async move {
        let served = axum::serve(listener, router(site)).with_graceful_shutdown(async move {
            let _ = ending.wait_for(|stop| *stop).await;
        });
        if let Err(error) = served.await {
            tracing::error!(error = %error, "the listener ended");
        }
    });
    let (app, mut ending) = (house.app.clone(), stopped.clone());
    tasks.spawn(async move {
        // The first search reads every offer; nobody should wait for that.
        let (nobody, everything) = (Principal::default(), Asked::default());
        tokio::select! {
            _ = app.search(&nobody, &everything) => {}
            _ = ending.wait_for(|stop| *stop) => {}
        }
    });
    tasks.spawn(house.worker.clone().run(config.worker.hands, stopped));
    Running { stop, tasks }
}

#[expect(clippy::print_stdout, reason = "the first lines that the operator needs")]
pub(crate) async fn serve(data: &Path, args: &ServeArgs) -> anyhow::Result<u8> {
    let mut config = Config::load(data)?;
    if let Some(listen) = &args.listen {
        config.server.listen.clone_from(listen);
    }
    let listener = TcpListener::bind(&config.server.listen).await.with_context(|| {
        format!("cannot listen on {}: choose another address with --listen", config.server.listen)
    })?;
    config.server.listen = listener.local_addr()?.to_string();
    let house = wiring::open(data, &config).await?;
    if let Err(error) = house.app.registry_key().await {
        tracing::error!(%error, "the master key does not open what this server has sealed: secrets are lost to it");
    }
    match house.worker.inspector.knowledge().await {
        Ok(knowledge) => {
            for remark in wiring::remarks(&knowledge.policy) {
                tracing::warn!(policy = knowledge.policy.name, "{remark}");
            }
            if let Some(trouble) = knowledge.advisories.trouble() {
                tracing::error!("nothing with packages can be certified: {trouble}; see mercat doctor");
            }
        }
        Err(why) => tracing::error!("nothing can be certified: {why}; see mercat doctor"),
    }
    println!("mercat serves {}", house.app.settings.base_url);
    if let Some(link) = house.app.bootstrap().await? {
        println!("operator sign-in, works once: {link}");
    }
    let running = start(&house, &config, listener);
    wait_for_signal().await?;
    tracing::info!("ending");
    running.end().await;
    Ok(0)
}

#[expect(clippy::print_stdout, reason = "the command's result")]
#[expect(clippy::print_stderr, reason = "said to the person at the keyboard")]
pub(crate) async fn sign_in_link(data: &Path) -> anyhow::Result<u8> {
    let config = Config::load(data)?;
    let house = wiring::open_known(data, &config).await?;
    if config.server.base_url.is_empty() {
        eprintln!("where the server was started with --listen, put that address into the link");
    }
    let link = house.app.operator_link().await.map_err(|error| match error {
        AppError::NotFound => anyhow::anyhow!("no operator yet: start mercat serve first"),
        other => other.into(),
    });
    println!("{}", link?);
    Ok(0)
}

pub(crate) async fn worker(data: &Path) -> anyhow::Result<u8> {
    let config = Config::load(data)?;
    let house = wiring::open(data, &config).await?;
    tracing::info!(worker = %house.worker.name, "working");
    let (stop, stopped) = watch::channel(false);
    let work = tokio::spawn(house.worker.clone().run(config.worker.hands, stopped));
    wait_for_signal().await?;
    let _ = stop.send(true);
    let _ = work.await;
    Ok(0)
}

pub(crate) async fn wait_for_signal() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

//! Random histories of notices, against a model of DESIGN §6.
//!
//! One server goes through all of them: each run has an organization of its own, and begins when the last one ended. After
//! each step everything that can be seen of the organization is compared with the model, and what the model does not
//! allow must be refused and change nothing.
//!
//! REGISTRY_MODEL_RUNS: how many, on SQLite; on PostgreSQL a part of them. REGISTRY_MODEL_SEED: other ones.

mod days;
mod drive;
mod machine;
mod steps;

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

use crate::support::{Backend, Place, Server, trials};
use drive::Drive;

fn histories(backend: Backend, share: usize) {
    let cases = u32::try_from(trials("REGISTRY_MODEL_RUNS", 200) * share / 200).expect("a number of runs");
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(trials("REGISTRY_MODEL_SEED", 7) as u64),
        failure_persistence: None,
        max_shrink_iters: 150,
        ..Config::default()
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let (place, server) = runtime.block_on(async {
        let place = Place::new(backend).await;
        let mut server = Server::start(&place).await;
        crate::support::vendor(&mut server, "aws").await;
        (place, server)
    });
    let drive = std::cell::RefCell::new(Drive::new(place, server));
    let outcome = TestRunner::new(config).run(&steps::history(), |history| {
        let mut drive = drive.borrow_mut();
        runtime.block_on(drive.run(&history)).map_err(TestCaseError::fail)
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, history)) => panic!("{reason}\n{history:?}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
    let mut drive = drive.into_inner();
    let tally = runtime.block_on(drive.finish());
    println!("{cases} histories: {tally}");
}

#[test]
fn histories_are_as_the_model_has_them_on_sqlite() {
    histories(Backend::Sqlite, 200);
}

#[test]
fn histories_are_as_the_model_has_them_on_postgres() {
    histories(Backend::Postgres, 30);
}

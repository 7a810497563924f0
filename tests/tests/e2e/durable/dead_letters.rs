//! Dead letters, over gRPC and on the command line.

use super::{script, submit};
use pilum_client::Code;
use pilum_tests::{CommandOutput, Functions, Host, Pilum, Script, ended};
use pilum_types::{ExecutionId, State};
use serde_json::{Value as Json, json};

async fn dead(functions: &Functions) -> ExecutionId {
    let id = submit(functions, functions.call("run", json!(null)).unwrap().retries(1)).await;
    assert!(ended(functions.client(), &id).await.unwrap().is_dead_letter);
    id
}

#[tokio::test]
async fn dead_letters_are_listed_redriven_and_discarded_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let host = Host::builder().data_dir(data.path()).start().await.unwrap();
    let exits = script(&host, "exits", &Script::exits(3)).await;
    let (one, two) = (dead(&exits).await, dead(&exits).await);
    host.kill().await.unwrap();

    let host = Host::builder().data_dir(data.path()).start().await.unwrap();
    let client = host.client().await.unwrap();
    let listed = client.dead_letters(None).await.unwrap();
    assert_eq!(listed.iter().map(|letter| &letter.id).collect::<Vec<_>>(), [&one, &two]);
    assert_eq!(listed[0].metadata["attempts"], "2");
    let anew = client.redrive(&one).await.unwrap();
    let report = ended(&client, &anew).await.unwrap();
    assert_eq!(
        (report.status.state, report.is_dead_letter),
        (State::Failed, true),
        "the redriven execution fails too"
    );
    client.discard(&two).await.unwrap();
    for gone in [&one, &two] {
        assert_eq!(client.redrive(gone).await.unwrap_err().code(), Some(Code::NotFound));
        assert_eq!(client.discard(gone).await.unwrap_err().code(), Some(Code::NotFound));
        let report = client.status(gone, true, true).await.unwrap().unwrap();
        assert_eq!((report.status.state, report.is_dead_letter), (State::Failed, false));
    }
    let left = client.dead_letters(None).await.unwrap();
    assert_eq!(left.iter().map(|letter| &letter.id).collect::<Vec<_>>(), [&anew]);
}

#[tokio::test]
async fn the_command_line_lists_redrives_and_discards_dead_letters() {
    let host = Host::start().await.unwrap();
    let exits = script(&host, "exits", &Script::exits(3)).await;
    let other = script(&host, "other", &Script::exits(4)).await;
    let run = async |arguments: &[&str]| -> CommandOutput {
        let arguments = [&["dead-letters"], arguments, &["--server", &host.grpc]].concat();
        Pilum::new(arguments).unwrap().run().await.unwrap()
    };
    let (one, two, three) = (dead(&exits).await, dead(&exits).await, dead(&other).await);
    let table = run(&["list"]).await;
    let rows: Vec<_> = table.stdout.lines().collect();
    assert_eq!(rows.len(), 4, "{table:?}");
    assert!(rows[1].contains(one.as_str()) && rows[1].contains("GUEST_EXIT"), "{table:?}");
    let ran = run(&["list", "other", "--json"]).await;
    let listed: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(listed["dead_letters"][0]["execution_id"], three.as_str());
    assert_eq!(listed["dead_letters"].as_array().unwrap().len(), 1);

    let ran = run(&["discard", one.as_str(), "none"]).await;
    assert_eq!(ran.code, Some(1), "`none` is not a dead letter: {ran:?}");
    assert!(ran.stdout.contains(&format!("{one} is discarded")) && ran.stderr.contains("none"), "{ran:?}");
    let ran = run(&["redrive", "--all", "--task", "exits", "--json"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let redriven: Json = serde_json::from_str(ran.stdout.trim()).unwrap();
    assert_eq!(redriven["execution_id"], two.as_str());
    let anew = ExecutionId::parse(redriven["redriven_as"].as_str().unwrap()).unwrap();
    ended(exits.client(), &anew).await.unwrap();
    assert_eq!(run(&["redrive"]).await.code, Some(2), "redrive needs an id or --all");
}

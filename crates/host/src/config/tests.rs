//! How the configuration is read, and what its errors say.

use super::*;
use std::io::Write;
use std::path::Path;

fn load_text(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load(Some(file.path()), environment, Overrides::default())
        .map_err(|error| error.to_string().replace(&file.path().display().to_string(), "FILE"))
}

#[track_caller]
fn check_error(text: &str, environment: &[(&str, &str)], says: &str) {
    assert_eq!(load_text(text, environment).expect_err(text), says);
}

#[test]
fn the_fixed_keys_have_the_fixed_defaults() {
    let text = "[sync_execution]\ndefault_timeout_ms = 30000\nmax_concurrent_requests = 100\n\
        enable_retries = false\n[async_execution]\ndefault_timeout_ms = 3600000\nmax_queue_size = 1000\n\
        status_retention_hours = 24\nenable_retries = true\nmax_retries = 3\n";
    assert_eq!(load_text(text, &[]), Ok(Config::default()));
}

#[test]
fn flags_win_over_variables_over_the_file() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"[listen]\ngrpc='127.0.0.1:1'\nhttp='127.0.0.1:1'\n[limits]\nfuel=1\n").unwrap();
    let environment = [("PILUM_LISTEN__GRPC", "127.0.0.1:2"), ("PILUM_LISTEN__HTTP", "127.0.0.1:2")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let flags = Overrides { grpc_listen: Some("127.0.0.1:3".to_owned()), ..Overrides::default() };
    let config = load(Some(file.path()), environment.into_iter(), flags).unwrap();
    assert_eq!((config.listen.grpc, config.listen.http), ("127.0.0.1:3".into(), "127.0.0.1:2".into()));
    assert_eq!(config.limits.fuel, 1);
}

#[test]
fn variables_take_the_type_of_their_key() {
    let config = load_text(
        "",
        &[("PILUM_ARTIFACTS__ROOTS", "/a,/b"), ("PILUM_ASYNC_EXECUTION__ENABLE_RETRIES", "false")],
    );
    let config = config.unwrap();
    assert_eq!(config.artifacts.roots, [Path::new("/a"), Path::new("/b")]);
    assert!(!config.async_execution.enable_retries);
}

#[test]
fn what_kubernetes_injects_is_not_ours() {
    let injected = [("PILUM_SERVICE_HOST", "10.0.0.1"), ("PILUM_PORT_8081_TCP", "tcp://10.0.0.1:8081")];
    assert_eq!(load_text("", &injected), Ok(Config::default()));
}

#[test]
fn unknown_keys_name_the_nearest() {
    check_error(
        "[sync_execution]\nmax_concurent_requests = 5\n",
        &[],
        "FILE, line 2: there is no key sync_execution.max_concurent_requests; \
         did you mean sync_execution.max_concurrent_requests?",
    );
    check_error(
        "\n[asinc_execution]\n",
        &[],
        "FILE, line 2: there is no key asinc_execution; did you mean async_execution?",
    );
    check_error(
        "[log]\nfuel = 5\n",
        &[],
        "FILE, line 2: there is no key log.fuel; did you mean limits.fuel?",
    );
    check_error("zzzzqqqq = 1\n", &[], "FILE, line 1: there is no key zzzzqqqq");
    check_error(
        "",
        &[("PILUM_LIMITS__FUELL", "1")],
        "the variable PILUM_LIMITS__FUELL: there is no key limits.fuell; did you mean limits.fuel?",
    );
    check_error(
        "",
        &[("PILUM_LOG", "debug")],
        "the variable PILUM_LOG: there is no key log; did you mean log?",
    );
}

#[test]
fn wrong_types_name_the_line() {
    check_error(
        "[limits]\nfuel = \"much\"\n",
        &[],
        "FILE, line 2: invalid type: string \"much\", expected u64",
    );
    check_error("[limits]\nfuel = -1\n", &[], "FILE, line 2: invalid value: integer `-1`, expected u64");
    check_error("[limits\n", &[], "FILE, line 1: unclosed table, expected `]`");
    check_error("limits = 5\n", &[], "FILE, line 1: invalid type: integer `5`, expected struct Limits");
    check_error(
        "",
        &[("PILUM_LIMITS__FUEL", "x")],
        "the variable PILUM_LIMITS__FUEL: limits.fuel must be a whole number, not \"x\"",
    );
}

#[test]
fn every_bound_holds() {
    for (key, _, min, max) in Config::default().bounds() {
        let (section, name) = key.split_once('.').unwrap();
        for value in [min.checked_sub(1), max.checked_add(1)].into_iter().flatten() {
            let error = load_text(&format!("[{section}]\n{name} = {value}\n"), &[]).expect_err(key);
            assert!(error.contains(&format!("{key} is {value}; it must be from ")), "{key}: {error}");
        }
    }
}

#[test]
fn listening_beyond_loopback_needs_to_be_said_in_so_many_words() {
    let error = load_text("[listen]\ngrpc = '0.0.0.0:1'\n", &[]).unwrap_err();
    assert!(error.contains("allow_unauthenticated_public"), "{error}");
    assert!(load_text("[listen]\ngrpc = '0.0.0.0:1'\nallow_unauthenticated_public = true\n", &[]).is_ok());
    check_error(
        "[listen]\ngrpc = 'nowhere'\n",
        &[],
        "the configuration: listen.grpc is \"nowhere\", which is no HOST:PORT: invalid socket address",
    );
}

#[test]
fn an_unreadable_file_is_named() {
    let error = load(Some(Path::new("/no/such/file")), std::iter::empty(), Overrides::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the configuration /no/such/file cannot be read: No such file or directory (os error 2)"
    );
}

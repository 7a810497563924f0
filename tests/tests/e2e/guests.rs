//! Guests of every kind: the example functions, every type of value, and imports beyond
//! WASI.

mod imports;
mod values;

use pilum_client::{Code, Mode};
use pilum_tests::{Functions, Host, ended, guest_path, json_of, result_of};
use pilum_types::{Output, State};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

async fn check(functions: &Functions, function: &str, parameters: Json, result: Json) {
    let got = functions.result(function, parameters.clone()).await.unwrap();
    assert_eq!(got, result, "{function} {parameters}");
}

async fn check_failure(functions: &Functions, function: &str, parameters: Json, code: &str, says: &str) {
    let (got, message) = functions.failure(function, parameters.clone()).await.unwrap();
    assert_eq!(got, code, "{function} {parameters}: {message}");
    assert!(message.contains(says), "{function} {parameters}: {message}");
}

#[tokio::test]
async fn a_core_module_computes_fibonacci_numbers() {
    let host = Host::start().await.unwrap();
    let core = Functions::of_guest(&host, "calculate-fibonacci.core.wasm").await.unwrap();
    check(&core, "add", json!([2, 40]), json!(42)).await;
    check(&core, "add", json!({ "p1": 40, "p0": -2 }), json!(38)).await;
    // A core module's parameters have no names; p0 and p1 stand for them.
    check(&core, "add", json!({ "a": 2, "b": 40 }), json!(42)).await;
    check(&core, "add", json!([i32::MAX, 1]), json!(i32::MIN)).await;
    for (n, fibonacci) in [(0, json!(0)), (1, json!(1)), (50, json!(12_586_269_025_i64))] {
        check(&core, "calculate-fibonacci", json!([n]), fibonacci).await;
    }
    // Beyond 2^53 a JSON number is not exact.
    check(&core, "calculate-fibonacci", json!([92]), json!("7540113804746346429")).await;
    check_failure(&core, "calculate-fibonacci", json!([93]), "TRAP_UNREACHABLE", "unreachable").await;
    check_failure(&core, "calculate-fibonacci", json!([-1]), "TRAP_UNREACHABLE", "calculate-fibonacci").await;
}

#[tokio::test]
async fn a_component_computes_fibonacci_numbers() {
    let host = Host::start().await.unwrap();
    let component = Functions::of_guest(&host, "calculate-fibonacci.wasm").await.unwrap();
    check(&component, "add", json!({ "b": 40, "a": 2 }), json!(42)).await;
    check(&component, "add", json!([i32::MIN, -1]), json!(i32::MAX)).await;
    check(&component, "calculate-fibonacci", json!({ "n": 93 }), json!("12200160415121876738")).await;
    check(&component, "calculate-fibonacci-checked", json!([10]), json!(55)).await;
    check_failure(&component, "calculate-fibonacci", json!([94]), "TRAP_UNREACHABLE", "wasm").await;
    check_failure(&component, "calculate-fibonacci-checked", json!([94]), "GUEST_ERROR", "93").await;
}

#[tokio::test]
async fn a_component_checks_email_addresses() {
    let host = Host::start().await.unwrap();
    let emails = Functions::of_guest(&host, "validate-email.wasm").await.unwrap();
    let ada = json!({
        "local": "ada+news", "domain": "example.org", "kind": "name", "tag": "news", "quoted": false
    });
    check(&emails, "validate-email", json!({ "address": "ada+news@Example.ORG" }), ada.clone()).await;
    let literal = json!({
        "local": "a b", "domain": "2001:db8::1", "kind": "ipv6", "tag": null, "quoted": true
    });
    check(&emails, "validate-email", json!(["\"a b\"@[IPv6:2001:db8::1]"]), literal).await;

    for (address, reason, position) in
        [("", "empty", 0), ("nobody", "missing-at", 6), ("a..b@c.de", "local-misplaced-dot", 2)]
    {
        let (code, message) = emails.failure("validate-email", json!([address])).await.unwrap();
        let problem: Json = serde_json::from_str(&message).unwrap();
        assert_eq!((code.as_str(), &problem["reason"]), ("GUEST_ERROR", &json!(reason)), "{address:?}");
        assert_eq!(problem["position"], position, "{address:?}: {message}");
        assert!(!problem["message"].as_str().unwrap().is_empty(), "{address:?}: {message}");
    }

    // Inside a list a result is a value, so one bad address does not fail the call.
    let addresses = json!({ "addresses": ["ada+news@example.org", "x@localhost"] });
    let all = emails.result("validate-all", addresses).await.unwrap();
    assert_eq!(all[0], json!({ "ok": ada }));
    assert_eq!(all[1]["err"]["reason"], "domain-unqualified");
    check(&emails, "validate-all", json!([[]]), json!([])).await;
}

#[tokio::test]
async fn a_command_finds_the_keywords_of_an_article() {
    let host = Host::start().await.unwrap();
    let text = std::fs::read_to_string(guest_path("../extract-keywords/article.txt").unwrap()).unwrap();
    let component = Functions::of_guest(&host, "extract-keywords.wasm").await.unwrap();
    let module = Functions::of_guest(&host, "extract-keywords.command.wasm").await.unwrap();

    let parameters = json!({ "text": text, "limit": 7 });
    let report = module.result("extract-keywords", parameters.clone()).await.unwrap();
    let keywords = report["keywords"].as_array().unwrap();
    assert_eq!(keywords.len(), 7);
    assert_eq!(keywords[0]["word"], "bridge");
    let bridges = text.to_lowercase().matches("bridge").count();
    assert!((1..=bridges as u64).contains(&keywords[0]["count"].as_u64().unwrap()), "{report}");
    assert!(keywords.is_sorted_by(|a, b| a["score"].as_f64() >= b["score"].as_f64()), "{report}");
    assert!(report["words"].as_u64().unwrap() > 300, "{report}");
    // A command runs for any function name, and both of its forms give the same answer.
    assert_eq!(component.result("whatever", parameters).await.unwrap(), report);
    let by_default = component.result("extract", json!({ "text": text })).await.unwrap();
    assert_eq!(by_default["keywords"].as_array().unwrap().len(), 10);

    let bad = [json!({}), json!({ "text": 5 }), json!({ "text": "", "limit": 0 }), json!({ "txt": "" })];
    for bad in bad {
        check_failure(&module, "run", bad.clone(), "GUEST_EXIT", "exit code 2").await;
        // wasi:cli/exit has only the exit code 1.
        check_failure(&component, "run", bad, "GUEST_EXIT", "exit code 1").await;
    }
    let failed = module.invoke("run", json!({ "text": "", "limit": 0 })).await.unwrap();
    assert_eq!((failed.status.state, failed.status.output), (State::Failed, None));
    let report = module.client().status(&failed.execution_id, true, true).await.unwrap().unwrap();
    assert_eq!(report.logs, ["stderr: extract-keywords: limit must be a whole number from 1 to 1000, not 0"]);
}

/// The number of orders of each region and the total revenue, computed from the table.
fn tallied(csv: &str) -> (BTreeMap<String, u64>, f64) {
    let (mut orders, mut revenue) = (BTreeMap::new(), 0.0);
    for row in csv.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let number = |i: usize| cells[i].parse::<f64>().unwrap();
        *orders.entry(cells[2].to_owned()).or_default() += 1;
        revenue += number(4) * number(5) * (1.0 - number(6));
    }
    (orders, revenue)
}

/// Renames fields as WIT writes them, with hyphens, and rounds numbers to 12 digits,
/// because reading JSON may lose the last bit.
fn hyphenated(json: Json) -> Json {
    match json {
        Json::Array(items) => items.into_iter().map(hyphenated).collect(),
        Json::Object(fields) => {
            fields.into_iter().map(|(name, field)| (name.replace('_', "-"), hyphenated(field))).collect()
        }
        Json::Number(number) => format!("{:.11e}", number.as_f64().unwrap()).into(),
        other => other,
    }
}

#[tokio::test]
async fn a_dataset_of_100_000_rows_is_analysed() {
    let host = Host::start().await.unwrap();
    let csv = std::fs::read_to_string(guest_path("sales.csv").unwrap()).unwrap();
    let component = Functions::of_guest(&host, "analyze-dataset.wasm").await.unwrap();
    let command = Functions::of_guest(&host, "analyze-dataset.command.wasm").await.unwrap();
    let parameters = json!({ "csv": csv, "resamples": 20 });

    // Both forms at once: one asynchronously, the other synchronously.
    let call = component.call("analyze-dataset", parameters.clone()).unwrap().mode(Mode::Async);
    let accepted = component.client().invoke(call).await.unwrap();
    assert_eq!(accepted.status.state, State::Pending);
    assert!(accepted.estimate.is_some() && accepted.status_endpoint.is_some(), "{accepted:?}");
    let from_command = command.result("analyze", parameters).await.unwrap();
    let report = ended(component.client(), &accepted.execution_id).await.unwrap();

    assert_eq!(report.status.state, State::Completed, "{}", report.status.error_message);
    let Some(Output::Typed(value)) = &report.status.output else { panic!("{:?}", report.status) };
    let result = json_of(value);
    assert_eq!(hyphenated(result.clone()), hyphenated(from_command));
    assert_eq!(report.logs[0], "stderr: 100000 rows read");
    assert!(report.status.memory_used_bytes > csv.len() as u64, "{:?}", report.status);

    let (orders, revenue) = tallied(&csv);
    assert_eq!((result["rows"].as_u64(), orders.values().sum()), (Some(100_000), 100_000_u64));
    let close = |a: &Json, b: f64| (a.as_f64().unwrap() - b).abs() <= b.abs() * 1e-9;
    assert!(close(&result["revenue"], revenue), "{} {revenue}", result["revenue"]);
    assert!(close(&result["mean-revenue"], revenue / 1e5), "{}", result["mean-revenue"]);
    for region in result["regions"].as_array().unwrap() {
        assert_eq!(region["orders"], orders[region["name"].as_str().unwrap()]);
    }
    let interval = &result["mean-revenue-interval"];
    let within = |low: &Json, high: &Json| low.as_f64() < high.as_f64();
    assert!(within(&interval["low"], &result["mean-revenue"]), "{interval}");
    assert!(within(&result["mean-revenue"], &interval["high"]), "{interval}");
}

#[tokio::test]
async fn wrong_datasets_are_refused_by_the_guest() {
    let host = Host::start().await.unwrap();
    let component = Functions::of_guest(&host, "analyze-dataset.wasm").await.unwrap();
    let command = Functions::of_guest(&host, "analyze-dataset.command.wasm").await.unwrap();
    let header = "region,quantity,unit_price,discount\n";
    for (csv, says) in [
        ("", "no column"),
        (header, "no rows"),
        (&format!("{header}north,x,1,0\n"), "line 2: quantity is not a number: \"x\""),
    ] {
        let parameters = json!({ "csv": csv, "resamples": 1 });
        check_failure(&component, "analyze-dataset", parameters.clone(), "GUEST_ERROR", says).await;
        let failed = command.invoke("analyze", parameters).await.unwrap();
        assert_eq!(failed.status.error_code.as_deref(), Some("GUEST_EXIT"));
        let report = command.client().status(&failed.execution_id, false, true).await.unwrap().unwrap();
        assert!(report.logs.iter().any(|line| line.contains(says)), "{:?}", report.logs);
    }
    let without = component
        .result("analyze-dataset", json!({ "csv": format!("{header}north,2,3,0.5\n"), "resamples": 0 }))
        .await
        .unwrap();
    assert_eq!((&without["revenue"], &without["mean-revenue-interval"]), (&json!(3), &Json::Null));
}

#[tokio::test]
async fn the_output_of_a_typed_function_is_its_log() {
    let host = Host::start().await.unwrap();
    let echo = Functions::of_guest(&host, "values-echo.wasm").await.unwrap();
    let logs = async |function: &str, line: &str| {
        let invoked = echo.invoke(function, json!([line])).await.unwrap();
        assert_eq!(result_of(&invoked).unwrap(), Json::Null);
        echo.client().status(&invoked.execution_id, false, true).await.unwrap().unwrap().logs
    };
    assert_eq!(logs("print", "grüße 𝄞").await, ["stdout: grüße 𝄞"]);
    assert_eq!(logs("complain", "oh no").await, ["stderr: oh no"]);
    assert_eq!(logs("print", "").await, ["stdout: "]);
    // The guest cannot forge a line or send control characters to a terminal.
    assert_eq!(logs("print", "a\nstderr: b\r\n").await, ["stdout: a", "stdout: stderr: b", "stdout: "]);
    assert_eq!(logs("complain", "\u{1b}[2J\u{0}\r!").await, ["stderr: \\u{1b}[2J\\u{0}\\r!"]);
}

#[tokio::test]
async fn a_function_has_a_full_and_a_short_name() {
    let host = Host::start().await.unwrap();
    let emails = Functions::of_guest(&host, "validate-email.wasm").await.unwrap();
    for name in [
        "pilum:examples/emails@0.1.0#validate-all",
        "pilum:examples/emails#validate-all",
        "emails.validate-all",
        "validate-all",
    ] {
        check(&emails, name, json!([[]]), json!([])).await;
    }
    for name in [
        "validate",
        "Validate-all",
        "emails#validate-all",
        "pilum:examples/emails@0.2.0#validate-all",
        "pilum:examples/emails@0.1.0",
    ] {
        let refused = emails.refused(name, json!([[]])).await.unwrap();
        assert_eq!(refused.code, Code::NotFound, "{refused}");
        let says = "pilum:examples/emails@0.1.0#validate-all: func(addresses: list<string>)";
        assert!(refused.message.contains(says), "{refused}");
    }
}

#[tokio::test]
async fn a_short_name_of_two_functions_is_refused() {
    let wasm = wat::parse_str(
        r#"(component
            (core module $m (func (export "run") (result i32) (i32.const 7)))
            (core instance $i (instantiate $m))
            (func $run (result u32) (canon lift (core func $i "run")))
            (instance $instance (export "run" (func $run)))
            (export "a:b/one@1.0.0" (instance $instance))
            (export "a:b/two@1.0.0" (instance $instance)))"#,
    )
    .unwrap();
    let host = Host::start().await.unwrap();
    let twice = Functions::of_bytes(&host, "twice", &wasm).await.unwrap();
    let refused = twice.refused("run", json!([])).await.unwrap();
    assert_eq!(refused.code, Code::InvalidArgument, "{refused}");
    for full in ["a:b/one@1.0.0#run", "a:b/two@1.0.0#run"] {
        assert!(refused.message.contains(full), "{refused}");
        check(&twice, full, json!([]), json!(7)).await;
    }
    check(&twice, "two.run", json!([]), json!(7)).await;
}

//! Code that is made to be expensive to compile.

use super::{check_unharmed, stopped};
use pilum_client::{Call, ClientError, Code, NewTask, Target};
use pilum_tests::{Functions, Host};
use pilum_types::{ArtifactSource, FunctionName, TaskName};
use serde_json::json;
use std::time::{Duration, Instant};

/// How long a compiler's 10 s of processor time may take beside other work, which has
/// priority over it.
const COMPILE_MAX: Duration = Duration::from_secs(60);

/// An unsigned number in LEB128.
fn number(mut n: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while n > 127 {
        bytes.push((n & 127) as u8 | 128);
        n >>= 7;
    }
    bytes.push(n as u8);
    bytes
}

fn vector(items: impl ExactSizeIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut bytes = number(items.len());
    bytes.extend(items.flatten());
    bytes
}

/// A module of these sections: types, functions, exports, code.
fn module(types: Vec<u8>, functions: Vec<u8>, exports: Vec<u8>, code: Vec<u8>) -> Vec<u8> {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    for (id, section) in [(1, types), (3, functions), (7, exports), (10, code)] {
        bytes.push(id);
        bytes.extend(number(section.len()));
        bytes.extend(section);
    }
    bytes
}

/// Exports the function with that index under `name`.
fn export(name: &str, function: usize) -> Vec<u8> {
    [number(name.len()), name.as_bytes().to_vec(), vec![0], number(function)].concat()
}

fn one(item: &[u8]) -> Vec<u8> {
    vector([item.to_vec()].into_iter())
}

/// The type `func()`, and the body of a function that does nothing.
const PLAIN_TYPE: &[u8] = b"\x60\0\0";
const EMPTY_BODY: &[u8] = b"\x02\0\x0b";

fn many_exports(count: usize) -> Vec<u8> {
    let exports = vector((0..count).map(|i| export(&format!("f{i}"), 0)));
    module(one(PLAIN_TYPE), one(&[0]), exports, one(EMPTY_BODY))
}

fn many_types(count: usize) -> Vec<u8> {
    let ty = |i: usize| {
        let parameters = vector((0..16).map(|bit| vec![if i >> bit & 1 == 1 { 0x7f } else { 0x7e }]));
        [vec![0x60], parameters, vec![0]].concat()
    };
    let types = vector((0..count).map(|i| if i == 0 { PLAIN_TYPE.to_vec() } else { ty(i) }));
    module(types, one(&[0]), one(&export("run", 0)), one(EMPTY_BODY))
}

fn many_functions(count: usize) -> Vec<u8> {
    let exports = vector((0..count).map(|i| export(&format!("f{i}"), i)));
    let functions = vector((0..count).map(|_| vec![0]));
    module(one(PLAIN_TYPE), functions, exports, vector((0..count).map(|_| EMPTY_BODY.to_vec())))
}

/// One function with these locals (all i32) and this body.
fn one_function(locals: usize, body: &[u8]) -> Vec<u8> {
    let locals = one(&[number(locals), vec![0x7f]].concat());
    let function = [locals, body.to_vec(), vec![0x0b]].concat();
    let code = one(&[number(function.len()), function].concat());
    module(one(PLAIN_TYPE), one(&[0]), one(&export("run", 0)), code)
}

/// A function that repeats `i32.const 1; drop`.
fn long_body(count: usize) -> Vec<u8> {
    one_function(1, &b"\x41\x01\x1a".repeat(count))
}

/// Loops one after the other, each of which may change any of the locals. The compiler's
/// memory grows with the number of loops times the number of locals.
fn many_loops(count: usize) -> Vec<u8> {
    let local = |i: usize| number(i % count);
    let step = |i: usize| {
        let add = [vec![0x03, 0x40, 0x20], local(i), vec![0x41, 1, 0x6a, 0x21], local(i + 1)].concat();
        [add, vec![0x20], local(i), vec![0x0d, 0, 0x0b]].concat()
    };
    one_function(count, &(0..count).flat_map(step).collect::<Vec<u8>>())
}

/// The processor time, in ticks, of the child processes that the host has waited for:
/// its compilers.
fn compile_ticks(host: &Host) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", host.pid().unwrap())).unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    // The first field after the name is the third; cutime and cstime are 16th and 17th.
    after_name.split(' ').skip(13).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

#[tokio::test]
async fn large_code_is_compiled_or_refused_within_bounds() {
    let host = Host::start().await.unwrap();
    for (name, function, wasm) in [
        ("exports", "f99999", many_exports(100_000)),
        ("types", "run", many_types(10_000)),
        ("body", "run", long_body(500_000)),
        ("loops", "run", many_loops(300)),
    ] {
        let guest = Functions::of_bytes(&host, name, &wasm).await.unwrap();
        let began = Instant::now();
        let call = guest.call(function, json!(null)).unwrap().timeout(Duration::from_millis(200));
        match guest.client().invoke(call).await {
            Ok(_ran) => {}
            Err(ClientError::Status(refused)) if refused.code == Code::FailedPrecondition => {}
            Err(error) => panic!("{name}: {error}"),
        }
        assert!(began.elapsed() < COMPILE_MAX, "{name}: {:?}", began.elapsed());
    }
    check_unharmed(&host).await;
}

#[tokio::test]
async fn code_that_was_refused_is_not_compiled_again() {
    let host = Host::start().await.unwrap();
    check_unharmed(&host).await;
    let (location, digest) = host.put("bomb.wasm", &many_loops(10_000)).unwrap();
    let client = host.client().await.unwrap();
    let refused = async |task: &str| {
        let source = ArtifactSource { location: location.clone(), checksum: Some(digest.parse().unwrap()) };
        let task = NewTask::new(TaskName::parse(task).unwrap(), source);
        let call = Call::new(Target::New(task), FunctionName::parse("run").unwrap());
        match client.invoke(call).await {
            Err(ClientError::Status(refused)) => *refused,
            other => panic!("{other:?}"),
        }
    };
    let before = compile_ticks(&host);
    let began = Instant::now();
    let first = refused("bomb").await;
    assert_eq!(first.code, Code::FailedPrecondition, "{first}");
    assert!(first.message.contains("could not be compiled within its bounds"), "{first}");
    assert!(began.elapsed() < COMPILE_MAX, "{:?}", began.elapsed());
    let after = compile_ticks(&host);
    assert!(after > before, "the child's time is counted");
    // The host remembers the digest, so under no task name is the code compiled again.
    for i in 0..20 {
        assert_eq!(refused(&format!("bomb-{i}")).await, first);
    }
    assert_eq!(compile_ticks(&host), after);
    assert!(client.list_tasks("bomb").await.unwrap().is_empty(), "nothing was registered");
    check_unharmed(&host).await;
}

/// 100,000 functions take longer to compile than a compiler may run. Other calls are
/// served meanwhile.
#[tokio::test]
async fn a_compiler_is_killed_at_its_time_limit() {
    let host = Host::start().await.unwrap();
    check_unharmed(&host).await;
    let bomb = Functions::of_bytes(&host, "functions", &many_functions(100_000)).await.unwrap();
    let good = Functions::of_guest(&host, "calculate-fibonacci.wasm").await.unwrap();
    let began = Instant::now();
    let mut compiling = std::pin::pin!(bomb.invoke("f7", json!(null)));
    let mut served = 0;
    let ended = loop {
        tokio::select! {
            ended = &mut compiling => break ended,
            sum = good.result("add", json!([1, 2])) => assert_eq!(sum.unwrap(), 3),
        }
        served += 1;
    };
    assert!(began.elapsed() < COMPILE_MAX, "{:?}", began.elapsed());
    assert!(served > 10, "only {served} good calls were served");
    // On a fast machine the code may be compiled in time; then it runs.
    if let Err(error) = ended {
        assert!(format!("{error:#}").contains("could not be compiled within its bounds"), "{error:#}");
    }
    let spin = Functions::of_guest(&host, "hostile_spin.wasm").await.unwrap();
    stopped(&spin, "run", Duration::from_millis(20)).await;
    check_unharmed(&host).await;
}

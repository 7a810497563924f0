//! Compiles WebAssembly to native code in a child process under a memory and a time
//! limit, so that hostile bytes can harm the child and nothing else.

use crate::config;
use crate::error::EngineError;
use pilum_artifact::VerifiedArtifact;
use rustix::process::{Resource, Rlimit, nice, setrlimit};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::sync::Semaphore;
use wasmtime::Engine;

/// Processor time that a child may take. Wall-clock time would be the wrong measure,
/// because on a busy machine a child with a low priority waits most of the time.
const COMPILE_CPU_MAX: Duration = Duration::from_secs(10);
/// Processor time for a large artifact, which compiles on all cores. The largest
/// component we know, 18 MB of Python, takes a third of it.
const LARGE_COMPILE_CPU_MAX: Duration = Duration::from_secs(20);
/// Wall-clock time that a child may take.
const COMPILE_TIMEOUT: Duration = Duration::from_secs(60);
/// Memory that a child may write to, in bytes.
const COMPILE_MEMORY_MAX_BYTES: u64 = 1 << 30;
/// How much a child yields to running calls; 19 is the most.
const COMPILE_NICENESS: i32 = 10;
/// Native code that a child may answer with, in bytes.
const NATIVE_MAX_BYTES: u64 = 512 << 20;
/// Text of an error that a child may answer with, in bytes.
const MESSAGE_MAX_BYTES: usize = 4 << 10;

/// The variable that tells wasmtime's compiler how many threads to use.
const THREADS_VARIABLE: &str = "RAYON_NUM_THREADS";
/// The first byte of a child's answer if native code follows.
const ANSWER_CODE: u8 = 0;
/// The first byte of a child's answer if the reason follows why there is no code.
const ANSWER_INVALID: u8 = 1;

/// An artifact with more bytes compiles on all cores even while calls run, because on
/// one thread it might not be done in time.
const ONE_THREAD_MAX_BYTES: usize = 4 << 20;
/// Cores that a child takes at most while calls run.
const CORES_BESIDE_CALLS_MAX: u32 = 2;

const CORE_HEADER: &[u8] = b"\0asm\x01\0\0\0";
const COMPONENT_HEADER: &[u8] = b"\0asm\x0d\0\x01\0";

/// Where artifacts are compiled.
#[derive(Debug, Clone)]
pub enum Compiler {
    /// In a child that runs `program` with `arguments`, which must lead to
    /// [`run_compile_child`]. The flag `--metered` is added where it applies.
    Child {
        /// The program; usually the one that this process runs.
        program: PathBuf,
        /// The arguments that make the program a compiler.
        arguments: Vec<OsString>,
        /// The child's environment. The child inherits nothing.
        environment: Vec<(OsString, OsString)>,
    },
    /// In this process, without limits: for tests and trusted bytes.
    InProcess,
}

/// What an artifact's header says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    Core,
    Component,
}

/// Compiles artifacts, as many at once as there are cores for.
#[derive(Debug)]
pub(crate) struct CompileQueue {
    compiler: Compiler,
    metered: bool,
    /// One permit for each core. Never closed. The first call of new code waits here.
    cores: Semaphore,
    cores_max: u32,
}

/// The part of the machine that a child may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    /// Cores that no other child may take meanwhile.
    cores: u32,
    /// Threads of the compiler.
    threads: u32,
}

impl Layer {
    /// What the bytes begin as.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, EngineError> {
        if bytes.starts_with(CORE_HEADER) {
            Ok(Self::Core)
        } else if bytes.starts_with(COMPONENT_HEADER) {
            Ok(Self::Component)
        } else if bytes.is_empty() {
            Err(EngineError::Invalid("it is empty".to_owned()))
        } else {
            Err(EngineError::Invalid("at offset 0: it does not begin with a WebAssembly header".to_owned()))
        }
    }
}

impl Share {
    /// The share of a machine with so many cores. While calls run, half of the cores
    /// are left to them: a thread of low priority still keeps its core for the rest of
    /// a time slice of some 3 ms, which a call of microseconds would notice.
    fn of(cores: u32, calls_run: bool, wasm_bytes: usize) -> Self {
        if calls_run && wasm_bytes <= ONE_THREAD_MAX_BYTES {
            Self { cores: cores.min(CORES_BESIDE_CALLS_MAX), threads: 1 }
        } else {
            Self { cores, threads: cores }
        }
    }
}

impl CompileQueue {
    pub(crate) fn new(compiler: Compiler, metered: bool) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cores_max = u32::try_from(cores).unwrap_or(u32::MAX);
        Self { compiler, metered, cores: Semaphore::new(cores), cores_max }
    }

    /// The native code of `artifact` for `engine`. `calls_run` says whether calls need
    /// the cores too.
    pub(crate) async fn compile(
        &self,
        engine: &Engine,
        layer: Layer,
        artifact: &VerifiedArtifact,
        calls_run: bool,
    ) -> Result<Vec<u8>, EngineError> {
        let share = Share::of(self.cores_max, calls_run, artifact.bytes().len());
        let Ok(_cores) = self.cores.acquire_many(share.cores).await else {
            unreachable!("the semaphore of cores is never closed");
        };
        match &self.compiler {
            Compiler::InProcess => {
                let (engine, artifact) = (engine.clone(), artifact.clone());
                let compiled =
                    tokio::task::spawn_blocking(move || precompile(&engine, layer, artifact.bytes()));
                compiled
                    .await
                    .map_err(|error| EngineError::Internal(format!("compiling failed: {error}")))?
                    .map_err(EngineError::Invalid)
            }
            Compiler::Child { program, arguments, environment } => {
                let mut command = Command::new(program);
                command.args(arguments).env_clear().envs(environment.iter().map(|(k, v)| (k, v)));
                command.env(THREADS_VARIABLE, share.threads.to_string());
                if self.metered {
                    command.arg("--metered");
                }
                let compiled = tokio::time::timeout(COMPILE_TIMEOUT, run_child(command, artifact.bytes()));
                compiled.await.unwrap_or_else(|_| {
                    let seconds = COMPILE_TIMEOUT.as_secs();
                    Err(EngineError::CompileLimit(format!("it takes longer than {seconds} s")))
                })
            }
        }
    }
}

/// The whole work of a compiling child: it sets its own limits, reads WebAssembly from
/// standard input and writes the answer to standard output.
pub fn run_compile_child(metered: bool) -> ExitCode {
    match compile_child(metered) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Runs one child. Dropping the future kills it.
async fn run_child(mut command: Command, wasm: &[u8]) -> Result<Vec<u8>, EngineError> {
    let failed = |what: &str, error: std::io::Error| {
        EngineError::Internal(format!("the compiling child: {what}: {error}"))
    };
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    // Starting a process blocks until its program is loaded. That takes some
    // milliseconds, in which other calls on this thread would wait.
    let started = tokio::task::spawn_blocking(move || command.spawn());
    let started = started.await.map_err(|error| failed("starting", error.into()))?;
    let mut child = started.map_err(|error| failed("starting", error))?;
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(EngineError::Internal("the compiling child has no pipes".to_owned()));
    };
    let write = async {
        // A child that refuses the bytes early closes the pipe. Its answer says why.
        let _ = stdin.write_all(wasm).await;
        drop(stdin);
    };
    let mut answer = Vec::new();
    let read = async { stdout.take(NATIVE_MAX_BYTES + 1).read_to_end(&mut answer).await };
    let ((), read) = tokio::join!(write, read);
    read.map_err(|error| failed("reading", error))?;
    if answer.len() as u64 > NATIVE_MAX_BYTES {
        return Err(EngineError::CompileLimit("its native code is larger than 512 MiB".to_owned()));
    }
    let status = child.wait().await.map_err(|error| failed("waiting", error))?;
    match answer.first().copied() {
        Some(ANSWER_CODE) if status.success() => {
            answer.remove(0);
            Ok(answer)
        }
        Some(ANSWER_INVALID) if status.success() => {
            let text = answer.get(1..).map(String::from_utf8_lossy).unwrap_or_default();
            Err(EngineError::Invalid(text.into_owned()))
        }
        Some(_) | None => Err(died(status)),
    }
}

/// Why a child ended without an answer, as far as its exit status tells.
fn died(status: ExitStatus) -> EngineError {
    const ABORTED: i32 = 6;
    const FAULTED: i32 = 11;
    const CPU_TIME_SPENT: i32 = 24;
    const PANICKED: i32 = 101;
    let mib = COMPILE_MEMORY_MAX_BYTES >> 20;
    match (status.signal(), status.code()) {
        // A failed allocation aborts, and an exhausted stack faults.
        (Some(ABORTED | FAULTED), _) => {
            EngineError::CompileLimit(format!("it needs more than {mib} MiB of memory ({status})"))
        }
        (Some(CPU_TIME_SPENT), _) => EngineError::CompileLimit("it takes too much processor time".to_owned()),
        (_, Some(PANICKED)) => EngineError::Invalid("the compiler gave up on it".to_owned()),
        // Another process killed the child, or the child could not set its limits. Neither
        // is the artifact's fault.
        _ => EngineError::Internal(format!("the compiling child ended without an answer ({status})")),
    }
}

fn precompile(engine: &Engine, layer: Layer, wasm: &[u8]) -> Result<Vec<u8>, String> {
    let compiled = match layer {
        Layer::Core => engine.precompile_module(wasm),
        Layer::Component => engine.precompile_component(wasm),
    };
    compiled.map_err(|error| format!("{error:#}"))
}

/// Processor time for an artifact of so many bytes.
fn cpu_max(bytes: usize) -> Duration {
    if bytes > ONE_THREAD_MAX_BYTES { LARGE_COMPILE_CPU_MAX } else { COMPILE_CPU_MAX }
}

fn compile_child(metered: bool) -> std::io::Result<()> {
    let limit = Some(COMPILE_MEMORY_MAX_BYTES);
    setrlimit(Resource::Data, Rlimit { current: limit, maximum: limit })?;
    // If the priority cannot be lowered, the child compiles all the same.
    let _ = nice(COMPILE_NICENESS);
    let mut wasm = Vec::new();
    std::io::stdin().lock().read_to_end(&mut wasm)?;
    let seconds = cpu_max(wasm.len()).as_secs();
    // The soft limit sends a signal that `died` recognises; the hard one only kills.
    setrlimit(Resource::Cpu, Rlimit { current: Some(seconds), maximum: Some(seconds + 1) })?;
    let compiled = Layer::of(&wasm).map_err(|error| error.to_string()).and_then(|layer| {
        let engine = Engine::new(&config::codegen_config(metered)).map_err(|error| format!("{error:#}"))?;
        precompile(&engine, layer, &wasm)
    });
    let mut stdout = std::io::stdout().lock();
    match compiled {
        Ok(code) => {
            stdout.write_all(&[ANSWER_CODE])?;
            stdout.write_all(&code)?;
        }
        Err(reason) => {
            stdout.write_all(&[ANSWER_INVALID])?;
            let end = reason.floor_char_boundary(MESSAGE_MAX_BYTES);
            stdout.write_all(reason.get(..end).unwrap_or_default().as_bytes())?;
        }
    }
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_keep_half_of_the_cores() {
        for (cores, beside_calls) in [(1, 1), (2, 2), (8, 2)] {
            assert_eq!(Share::of(cores, false, 1), Share { cores, threads: cores });
            assert_eq!(Share::of(cores, true, 1), Share { cores: beside_calls, threads: 1 });
            let large = ONE_THREAD_MAX_BYTES + 1;
            assert_eq!(Share::of(cores, true, large), Share { cores, threads: cores });
        }
    }
}

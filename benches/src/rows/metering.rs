//! metering: the cost of epoch checks and of fuel for four kernels that only compute.
//! Epoch checks, against none, are the cost of making every guest interruptible. Fuel,
//! against none and with epoch checks on both sides, is what a metered host adds.
//!
//! Both sides are bare wasmtime with the host's settings except for these two.

use crate::controls::{checked, engine};
use crate::guests::bytes;
use crate::measure::{Figure, Plan, Spread};
use crate::results::target::at_most;
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};
use wasmtime::{Engine, Linker, Module, Store, TypedFunc};

const GUEST: &str = "bench_kernels.wasm";
/// Each kernel and the size of its input; a call takes some milliseconds.
const KERNELS: &[(&str, i32)] = &[("sort", 100_000), ("sha256", 1 << 20), ("json", 2_000), ("matrix", 128)];

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    let wasm = bytes(GUEST)?;
    let mut figures = Vec::new();
    for (name, size) in KERNELS {
        let mut plain = Kernel::new(&wasm, name, Metering { epoch: false, fuel: false })?;
        let mut epoch = Kernel::new(&wasm, name, Metering { epoch: true, fuel: false })?;
        let mut fuel = Kernel::new(&wasm, name, Metering { epoch: true, fuel: true })?;
        ensure!(epoch.call(*size)? == plain.call(*size)? && fuel.call(*size)? == plain.call(*size)?);
        let mut rounds = Vec::new();
        for _ in 0..plan.rounds {
            let share = Duration::from_secs_f64(plan.seconds / 8.0);
            rounds.push((plain.ms(*size, share)?, epoch.ms(*size, share)?, fuel.ms(*size, share)?));
        }
        let epochs: Vec<_> = rounds.iter().map(|(plain, epoch, _)| (*epoch, *plain)).collect();
        let fuels: Vec<_> = rounds.iter().map(|(_, epoch, fuel)| (*fuel, *epoch)).collect();
        figures.push(Figure::beside(format!("metering {name}, epoch"), "ms", &[at_most(1.1)], &epochs));
        figures.push(Figure::beside(format!("metering {name}, fuel"), "ms", &[], &fuels));
    }
    Ok(figures)
}

/// What the generated code checks and counts.
#[derive(Clone, Copy)]
struct Metering {
    epoch: bool,
    fuel: bool,
}

struct Kernel {
    store: Store<()>,
    func: TypedFunc<i32, i32>,
}

impl Kernel {
    fn new(wasm: &[u8], name: &str, metering: Metering) -> Result<Self> {
        let mut config = engine::codegen();
        config.epoch_interruption(metering.epoch).consume_fuel(metering.fuel);
        let engine = checked(Engine::new(&config))?;
        let module = checked(Module::new(&engine, wasm))?;
        let mut linker = Linker::new(&engine);
        // The kernels import only the WASI functions that a panic calls, and never panic.
        checked(linker.define_unknown_imports_as_traps(&module))?;
        let mut store = Store::new(&engine, ());
        if metering.epoch {
            store.set_epoch_deadline(u64::MAX / 2);
        }
        if metering.fuel {
            checked(store.set_fuel(u64::MAX))?;
        }
        let instance = checked(linker.instantiate(&mut store, &module))?;
        let func = checked(instance.get_typed_func(&mut store, name))?;
        Ok(Self { store, func })
    }

    fn call(&mut self, size: i32) -> Result<i32> {
        checked(self.func.call(&mut self.store, size))
    }

    /// Milliseconds per call: the median of the calls that fit into `duration`.
    fn ms(&mut self, size: i32, duration: Duration) -> Result<f64> {
        let mut calls = Vec::new();
        let end = Instant::now() + duration;
        while Instant::now() < end {
            let began = Instant::now();
            self.call(size)?;
            calls.push(began.elapsed().as_secs_f64() * 1e3);
        }
        Ok(Spread::of(calls).median)
    }
}

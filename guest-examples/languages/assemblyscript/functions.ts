// Three functions as a program: the first argument names the function, standard
// input holds its parameters as one JSON object, standard output takes its result.

import { JSON } from "json-as";

// What is thrown comes here (asconfig.json says so) and ends the program with its
// message on standard error, which is the log of the execution.
function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  process.stderr.write(`${message} (${file}:${line}:${column})\n`);
  process.exit(1);
}

@json
class CalculateFibonacci {
  n: f64 = NaN;
}

@json
class Greet {
  name: string = "";
}

@json
class Summarize {
  values: f64[] = [];
}

@json
class Summary {
  count: i32 = 0;
  mean: f64 = 0;
  min: f64 = Infinity;
  max: f64 = -Infinity;
}

function calculateFibonacci(p: CalculateFibonacci): u64 {
  if (!(p.n >= 0 && p.n <= u32.MAX_VALUE && Math.trunc(p.n) == p.n)) {
    throw new Error("n must be a whole number from 0 to 4294967295");
  }
  const n = <u32>p.n;
  if (n > 93) {
    throw new Error(`F(${n}) does not fit 64 bits; F(93) is the last that does`);
  }
  let previous: u64 = 1;
  let current: u64 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const next = previous + current;
    previous = current;
    current = next;
  }
  return current;
}

function greet(p: Greet): string {
  process.stderr.write(`greeting ${p.name}\n`);
  return `Hello, ${p.name}!`;
}

function summarize(p: Summarize): Summary {
  const count = p.values.length;
  if (count == 0) throw new Error("no values");
  const summary = new Summary();
  summary.count = count;
  let sum: f64 = 0;
  for (let i = 0; i < count; i++) {
    const value = p.values[i];
    sum += value;
    summary.min = Math.min(summary.min, value);
    summary.max = Math.max(summary.max, value);
  }
  summary.mean = sum / count;
  return summary;
}

function call(name: string, parameters: string): string {
  if (name == "calculate-fibonacci") {
    return JSON.stringify(calculateFibonacci(JSON.parse<CalculateFibonacci>(parameters)));
  }
  if (name == "greet") {
    return JSON.stringify(greet(JSON.parse<Greet>(parameters)));
  }
  if (name == "summarize") {
    return JSON.stringify(summarize(JSON.parse<Summarize>(parameters)));
  }
  throw new Error(`there is no function "${name}"`);
}

function standardInput(): string {
  const chunk = new ArrayBuffer(65536);
  let bytes = new Uint8Array(0);
  for (let read = process.stdin.read(chunk); read > 0; read = process.stdin.read(chunk)) {
    const longer = new Uint8Array(bytes.length + read);
    longer.set(bytes);
    longer.set(Uint8Array.wrap(chunk, 0, read), bytes.length);
    bytes = longer;
  }
  return String.UTF8.decode(bytes.buffer);
}

process.stdout.write(call(process.argv.length > 1 ? process.argv[1] : "", standardInput()));

// Three functions, exported with the types that wit/world.wit gives them.
// What is thrown is the error of a result.

export function calculateFibonacci(n) {
  if (n > 93) {
    throw `F(${n}) does not fit 64 bits; F(93) is the last that does`;
  }
  // A u64 is a BigInt: numbers are exact up to 2^53 only.
  let [current, next] = [0n, 1n];
  for (let i = 0; i < n; i++) {
    [current, next] = [next, current + next];
  }
  return current;
}

export function greet(name) {
  // The console is the log of the execution.
  console.log(`greeting ${name}`);
  return `Hello, ${name}!`;
}

export function summarize(values) {
  if (values.length === 0) {
    throw "no values";
  }
  let [sum, min, max] = [0, Infinity, -Infinity];
  for (const value of values) {
    sum += value;
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  return { count: values.length, mean: sum / values.length, min, max };
}

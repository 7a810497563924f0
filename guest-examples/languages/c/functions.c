// Three functions, exported with the types that wit/world.wit gives them.
//
// A function with a result returns true after setting `ret`, false after setting
// `err`. Parameters are the function's to free; what it answers is freed for it.

#include <inttypes.h>
#include <stdio.h>

#include "functions.h"

bool exports_functions_calculate_fibonacci(uint32_t n, uint64_t *ret, functions_string_t *err) {
  if (n > 93) {
    char message[96];
    snprintf(message, sizeof message, "F(%" PRIu32 ") does not fit 64 bits; F(93) is the last that does", n);
    functions_string_dup(err, message);
    return false;
  }
  uint64_t previous = 1, current = 0;
  for (uint32_t i = 0; i < n; i++) {
    uint64_t next = previous + current;
    previous = current;
    current = next;
  }
  *ret = current;
  return true;
}

void exports_functions_greet(functions_string_t *name, functions_string_t *ret) {
  // Strings have a length and no zero at their end.
  int length = (int)name->len;
  const char *text = (const char *)name->ptr;
  // Standard error is the log of the execution.
  fprintf(stderr, "greeting %.*s\n", length, text);

  char *greeting = NULL;
  int written = asprintf(&greeting, "Hello, %.*s!", length, text);
  functions_string_free(name);
  ret->ptr = (uint8_t *)greeting;
  ret->len = written < 0 ? 0 : (size_t)written;
}

bool exports_functions_summarize(functions_list_f64_t *values, functions_summary_t *ret,
                                 functions_string_t *err) {
  if (values->len == 0) {
    functions_string_dup(err, "no values");
    return false;
  }
  double sum = 0, min = values->ptr[0], max = values->ptr[0];
  for (size_t i = 0; i < values->len; i++) {
    double value = values->ptr[i];
    sum += value;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  *ret = (functions_summary_t){.count = (uint32_t)values->len, .mean = sum / (double)values->len, .min = min, .max = max};
  functions_list_f64_free(values);
  return true;
}

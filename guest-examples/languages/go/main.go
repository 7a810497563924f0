// Three functions as a program: the first argument names the function, standard
// input holds its parameters as one JSON object, standard output takes its result.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

func main() {
	function := ""
	if len(os.Args) > 1 {
		function = os.Args[1]
	}
	if err := call(function); err != nil {
		// Standard error is the log of the execution, and says why it failed.
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func call(function string) error {
	switch function {
	case "calculate-fibonacci":
		return answer(calculateFibonacci)
	case "greet":
		return answer(greet)
	case "summarize":
		return answer(summarize)
	}
	return fmt.Errorf("there is no function %q", function)
}

// answer calls a function with the parameters that came, and writes its result.
func answer[P, R any](function func(P) (R, error)) error {
	var parameters P
	if err := json.NewDecoder(os.Stdin).Decode(&parameters); err != nil {
		return fmt.Errorf("wrong parameters: %w", err)
	}
	result, err := function(parameters)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

type number struct {
	N uint32 `json:"n"`
}

func calculateFibonacci(p number) (uint64, error) {
	if p.N > 93 {
		return 0, fmt.Errorf("F(%d) does not fit 64 bits; F(93) is the last that does", p.N)
	}
	var current, next uint64 = 0, 1
	for range p.N {
		current, next = next, current+next
	}
	return current, nil
}

type person struct {
	Name string `json:"name"`
}

func greet(p person) (string, error) {
	fmt.Fprintln(os.Stderr, "greeting", p.Name)
	return "Hello, " + p.Name + "!", nil
}

type numbers struct {
	Values []float64 `json:"values"`
}

type summary struct {
	Count int     `json:"count"`
	Mean  float64 `json:"mean"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
}

func summarize(p numbers) (summary, error) {
	if len(p.Values) == 0 {
		return summary{}, errors.New("no values")
	}
	s := summary{Count: len(p.Values), Min: p.Values[0], Max: p.Values[0]}
	sum := 0.0
	for _, value := range p.Values {
		sum += value
		s.Min = min(s.Min, value)
		s.Max = max(s.Max, value)
	}
	s.Mean = sum / float64(s.Count)
	return s, nil
}

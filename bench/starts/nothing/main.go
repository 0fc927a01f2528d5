// Nothing is a program that does nothing: what the start of any program takes.
package main

func main() {}

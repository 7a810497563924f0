module functions

go 1.22

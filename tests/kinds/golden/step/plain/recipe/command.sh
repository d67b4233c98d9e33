echo hello > out/hello.txt

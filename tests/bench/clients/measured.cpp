// Runs a program and writes what it used as one JSON line into a file, so that a client that ends by itself
// is measured too.
//   bench_measured FILE PROGRAM [ARGUMENT...]
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: bench_measured FILE PROGRAM [ARGUMENT...]\n", stderr);
    return 2;
  }
  const auto began = std::chrono::steady_clock::now();
  const auto child = fork();
  if (child == 0) {
    execvp(argv[2], argv + 2);
    std::perror(argv[2]);
    _exit(127);
  }
  int status = 0;
  rusage usage{};
  if (child < 0 || wait4(child, &status, 0, &usage) != child) {
    std::perror("bench_measured");
    return 1;
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - began;
  std::FILE* file = std::fopen(argv[1], "w");
  if (file == nullptr) {
    std::perror(argv[1]);
    return 1;
  }
  std::fprintf(file,
               R"({"seconds":%.6f,"user":%.6f,"system":%.6f,"rss_kib":%ld})"
               "\n",
               elapsed.count(), seconds(usage.ru_utime), seconds(usage.ru_stime), usage.ru_maxrss);
  std::fclose(file);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

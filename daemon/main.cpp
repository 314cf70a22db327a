#include "daemon/cli/command_line.hpp"

int main(int argc, char** argv) {
  return dupwatch::cli::run_program(argc, argv);
}

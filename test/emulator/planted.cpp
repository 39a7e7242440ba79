// Which of the faults that scripts/faults/switches.mjs has built in is planted: EMULATOR_FAULT.
#include <cstdlib>

bool planted_fault(int number);

bool planted_fault(int number) {
  static const int planted = [] {
    const char* text = getenv("EMULATOR_FAULT");
    return text ? atoi(text) : 0;
  }();
  return number == planted;
}

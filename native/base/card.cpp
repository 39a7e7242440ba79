// What stands in for the back end of cards where the program is linked without native/cuda, whose
// own definition goes before this one.
#include "card.h"

namespace inbatch {

__attribute__((weak)) CardDriver* card_driver() { return nullptr; }

}  // namespace inbatch

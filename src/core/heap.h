// What the heap does with memory that is freed.
#pragma once

namespace farthing {

// From now on blocks of 128 kB and more go back to the system when they are freed. By default
// glibc keeps them once it has seen some, and what a program takes at its peak depends on the order
// in which threads free: work that forecasts its memory wants neither.
void give_back_freed_memory();

}  // namespace farthing

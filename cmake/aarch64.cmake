# Cross-compiling for 64-bit ARM. Everything is linked statically, so that the programs run under
# qemu-aarch64 and on any ARM Linux as they are. scripts/aarch64_sysroot.sh fetches the libraries.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(FARTHING_STATIC ON CACHE BOOL "")
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64;-cpu;max)

set(sysroot ${CMAKE_CURRENT_LIST_DIR}/../build/sysroot/aarch64)
get_filename_component(sysroot ${sysroot} ABSOLUTE)
set(CMAKE_FIND_ROOT_PATH ${sysroot})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
foreach(kind LIBRARY INCLUDE PACKAGE)
  set(CMAKE_FIND_ROOT_PATH_MODE_${kind} ONLY)
endforeach()
set(ENV{PKG_CONFIG_LIBDIR} ${sysroot}/usr/lib/aarch64-linux-gnu/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${sysroot})

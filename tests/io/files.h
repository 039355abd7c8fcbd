// Files that tests make for themselves.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include "core/cursor.h"
#include "core/error.h"

namespace farthing::io {

// A directory of its own, removed at the end.
class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "farthing-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  std::string path(std::string_view name = "") const {
    return name.empty() ? path_ : path_ + "/" + std::string(name);
  }
  std::string write(std::string_view name, std::string_view content) const {
    const std::string file = path(name);
    std::filesystem::create_directories(std::filesystem::path(file).parent_path());
    std::ofstream(file, std::ios::binary) << content;
    return file;
  }

 private:
  std::string path_;
};

inline ByteSpan as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

// A number's bytes, little endian (as every machine that runs the tests has them).
template <class T>
std::string raw(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

// A safetensors file of this header and data, whether they fit each other or not.
inline std::string safetensors(std::string_view header, std::string_view data = "") {
  return raw<std::uint64_t>(header.size()) + std::string(header) + std::string(data);
}

// What a call complains about: the fault and the message. Fails the test when it does not throw an
// Error, or when the message is not one printable line.
struct Complaint {
  Fault fault = Fault::kInternal;
  std::string text;
};
template <class F>
Complaint complaint_of(F&& call) {
  try {
    std::forward<F>(call)();
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_LT(text.size(), 1500u) << text;
    for (const char c : text) EXPECT_GE(static_cast<unsigned char>(c), 0x20u) << text;
    return {error.fault, text};
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

}  // namespace farthing::io

#define EXPECT_COMPLAINT(kind, part, call)                                 \
  do {                                                                     \
    const ::farthing::io::Complaint complaint =                            \
        ::farthing::io::complaint_of([&] { static_cast<void>(call); });    \
    EXPECT_EQ(complaint.fault, ::farthing::Fault::kind) << complaint.text; \
    EXPECT_THAT(complaint.text, ::testing::HasSubstr(part));               \
  } while (false)

// Reads what numpy.save wrote, of the type T, little endian, C order.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace farthing::reference {

template <class T>
struct NumpyArray {
  std::vector<std::int64_t> shape;
  std::vector<T> values;
};

template <class T>
NumpyArray<T> read_npy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream buffer;
  buffer << file.rdbuf();
  const std::string bytes = buffer.str();
  if (bytes.size() < 10 || bytes.compare(0, 6, "\x93NUMPY") != 0)
    throw std::runtime_error(path + " is not a .npy file");
  const std::size_t length =
      static_cast<unsigned char>(bytes[8]) + 256u * static_cast<unsigned char>(bytes[9]);
  const std::string header = bytes.substr(10, length);
  const std::string type = sizeof(T) == 4 && T(0.5) != T(0) ? "'<f4'" : "'<i4'";
  if (header.find(type) == std::string::npos || header.find("False") == std::string::npos)
    throw std::runtime_error(path + " does not hold " + type + " in C order");
  NumpyArray<T> array;
  std::int64_t count = 1;
  std::istringstream numbers(header.substr(header.find('(') + 1));
  for (std::int64_t n; numbers >> n; numbers.ignore(1, ',')) array.shape.push_back(n), count *= n;
  array.values.resize(static_cast<std::size_t>(count));
  if (bytes.size() != 10 + length + array.values.size() * sizeof(T))
    throw std::runtime_error(path + " is cut short");
  std::memcpy(array.values.data(), bytes.data() + 10 + length, array.values.size() * sizeof(T));
  return array;
}

}  // namespace farthing::reference

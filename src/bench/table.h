// Text tables with bars for people; machines read the JSON.
#pragma once

#include <string>
#include <vector>

namespace farthing::bench {

// "######    " of `width`, for a fraction from 0 to 1.
std::string bar(double fraction, int width = 24);

// Columns as wide as their widest cell, two spaces apart; those of numbers to the right.
class Table {
 public:
  struct Column {
    std::string name;
    bool right = true;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  std::string text() const;  // with the names above, each line ended

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace farthing::bench

// The geometry of a network: its maps, and where they lie in memory.
#pragma once

#include <stdexcept>

#include "rows.h"

namespace texjax {

// A pooling of 2 x 2, where `side` is 0, or a convolution side x side with bias and ReLU.
struct Operation {
  long side, channels;
};

// What an operation returns, [height, width, channels] within a border of `border` pixels for the next convolution.
struct Map {
  long height, width, channels, border, offset;
  long row() const { return width * channels; }
  long stride() const { return (width + 2 * border) * channels; }
  long size() const { return (height + 2 * border) * stride(); }
  long origin() const { return border * stride() + border * channels; }  // of the first pixel within the border
};

// maps[0] is the image, and maps[i + 1] what operations[i] returns; one image's maps lie in `size` numbers.
struct Network {
  Padding padding;
  bool max;
  std::vector<Operation> operations;
  std::vector<Map> maps;
  long size = 0;

  Network(long height, long width, long channels, const int64_t* sides, const int64_t* widths, long count, long padding,
          bool max)
      : padding(Padding(padding)), max(max) {
    for (long i = 0; i < count; ++i) operations.push_back({sides[i], widths[i]});
    for (long i = 0; i <= count; ++i) {
      if (i && !operations[i - 1].side) {
        if (i == 1 || !operations[i - 2].side) throw std::invalid_argument("a pooling has to follow a convolution");
        long up = padding == VALID ? 0 : 1;
        height = (height + up) / 2, width = (width + up) / 2;
      } else if (i) {
        long less = padding == VALID ? operations[i - 1].side - 1 : 0;
        height -= less, width -= less, channels = operations[i - 1].channels;
      }
      if (height < 1 || width < 1) throw std::invalid_argument("the image is too small for the network");
      long border = i < count && padding != VALID ? operations[i].side / 2 : 0;
      maps.push_back({height, width, channels, border, size});
      size += (maps.back().size() + 63) / 64 * 64;
    }
  }

  bool pools(size_t i) const { return i < operations.size() && !operations[i].side; }

  Pooling pooling(size_t i) const {
    const Map &before = maps[i], &after = maps[i + 1];
    return {before.height, before.width, after.height, after.width, before.channels, padding, max};
  }

  // The border that the gradient of map i + 1 needs, to be taken through the convolution i.
  long reach(size_t i) const {
    const long side = operations[i].side;
    return padding == SAME || padding == CIRCULAR ? side / 2 : side - 1;
  }

  // The gradient of map i before the ReLU of the convolution that returns it, or the gradient of what a pooling returns.
  Map gradient(size_t i) const {
    Map map = maps[i];
    map.border = i && operations[i - 1].side ? reach(i - 1) : 0;
    return map;
  }
};

// Rows of a strip: what a strip reads and writes fits a core's cache, and there are some strips for each thread. It
// depends on shapes alone, so that results are the same with any number of threads. Poolings want an even number.
inline long strip(long height, long bytes_of_row) {
  long rows = std::min((1L << 20) / bytes_of_row, (height + 7) / 8);
  return std::max(2L, (rows + 1) / 2 * 2);
}

}  // namespace texjax

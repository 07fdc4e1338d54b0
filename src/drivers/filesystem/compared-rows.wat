;; Products of one vector of 16-bit numbers with rows of 8-bit numbers, as exact integers.
;; `npm run wasm` makes compared-rows-wasm.ts of it.
(module
  (import "rows" "memory" (memory 1))

  ;; products[i] = sum over j of query[j] * rows[i * width + j], for each of `count` rows.
  ;; `width` is a multiple of 16 and above 0; places are byte offsets. The caller sees to it that no sum
  ;; leaves 32 bits.
  (func (export "multiply")
    (param $query i32) (param $rows i32) (param $width i32) (param $count i32) (param $products i32)
    (local $end i32) (local $at i32) (local $rowEnd i32)
    (local $row v128) (local $even v128) (local $odd v128)
    (local.set $end (i32.add (local.get $products) (i32.shl (local.get $count) (i32.const 2))))
    (block $done
      (loop $nextRow
        (br_if $done (i32.ge_u (local.get $products) (local.get $end)))
        (local.set $at (local.get $query))
        (local.set $rowEnd (i32.add (local.get $rows) (local.get $width)))
        (local.set $even (v128.const i32x4 0 0 0 0))
        (local.set $odd (v128.const i32x4 0 0 0 0))
        (loop $nextPiece
          (local.set $row (v128.load (local.get $rows)))
          (local.set $even
            (i32x4.add (local.get $even)
              (i32x4.dot_i16x8_s
                (i16x8.extend_low_i8x16_s (local.get $row))
                (v128.load (local.get $at)))))
          (local.set $odd
            (i32x4.add (local.get $odd)
              (i32x4.dot_i16x8_s
                (i16x8.extend_high_i8x16_s (local.get $row))
                (v128.load offset=16 (local.get $at)))))
          (local.set $at (i32.add (local.get $at) (i32.const 32)))
          (local.set $rows (i32.add (local.get $rows) (i32.const 16)))
          (br_if $nextPiece (i32.lt_u (local.get $rows) (local.get $rowEnd))))
        (local.set $even (i32x4.add (local.get $even) (local.get $odd)))
        (i32.store (local.get $products)
          (i32.add
            (i32.add (i32x4.extract_lane 0 (local.get $even)) (i32x4.extract_lane 1 (local.get $even)))
            (i32.add (i32x4.extract_lane 2 (local.get $even)) (i32x4.extract_lane 3 (local.get $even)))))
        (local.set $products (i32.add (local.get $products) (i32.const 4)))
        (br $nextRow)))))

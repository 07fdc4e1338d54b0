/** Characters on which every tokenizer's tables agree. Patterns that split text ask for letters,
 *  marks and numbers; a program with older or newer Unicode tables answers otherwise for characters
 *  that came late, and then splits and counts otherwise. These have had one class from Unicode 3.2
 *  to 17 (signs and pictures: from 14), runs of eight and more. Left out are those on which `\\s` and
 *  case folding differ between languages: U+0085, U+180E, U+FEFF, U+017F, U+001C to U+001F. */
const RANGES = `
  0-1b 20-84 86-a9 ae-b9 bb-17e 180-220 222-233 250-293 296-2ad 2b0-2b8 2bb-2c5 2d0-2eb 2ed-34f 360-36f
  38e-3a1 3a3-3ce 3d0-3f6 400-486 488-4ce 4d0-4f5 500-50f 531-556 561-587 591-5a1 5a3-5b9 5bb-5c4 5d0-5ea
  606-60f 621-63a 640-655 660-6dd 6df-6ed 6f0-6fe 700-70d 70f-72c 730-74a 780-7b1 830-83e 905-939 93c-94d
  958-970 985-98c 993-9a8 9e6-9fb a13-a28 a66-a74 a93-aa8 abc-ac5 ae6-af1 b05-b0c b13-b28 b3c-b43 b66-b70
  bae-bb5 be7-bfa c05-c0c c12-c28 c2a-c33 c66-c6f c82-c8c c92-ca8 caa-cb3 ce6-cef d05-d0c d12-d28 d2a-d39
  d66-d6f d85-d96 d9a-db1 db3-dbb dd8-ddf e01-e3a e3f-e5b ead-eb9 ed0-ed9 f00-f47 f49-f6a f71-f8b f90-f97
  f99-fbc fbe-fcc fce-fda 1000-1021 1040-1059 109e-10c5 1100-1159 115f-11a2 11a8-11f9 1208-1246 1260-1286
  1290-12ae 12d8-12ee 12f0-130e 1320-1346 1348-135a 1360-137c 1390-1399 1400-1676 1680-169c 16a0-16f0
  1700-170c 1720-1736 1740-1753 1760-176c 1780-17dc 17e0-17e9 1800-180d 1810-1819 1820-1877 1887-18a9
  19de-19ff 1b5a-1b6a 1b74-1b7e 1cc0-1cc7 1e00-1e9b 1ea0-1ef9 1f00-1f15 1f20-1f45 1f50-1f57 1f5f-1f7d
  1f80-1fb4 1fb6-1fc4 1fc6-1fd3 1fdd-1fef 1ff6-1ffe 2000-200a 200c-2063 2074-207e 2080-208e 20a0-20c0
  20d0-20ea 2100-2131 2133-213b 213d-214d 2153-2182 2190-2426 2440-244a 2460-24fe 2500-2b73 2b76-2b95
  2b97-2bff 2e00-2e2e 2e30-2e5d 2e80-2e99 2e9b-2ef3 2f00-2fd5 2ff0-2ffb 3000-303f 3041-3096 3099-30ff
  3105-312c 3131-318e 3190-31b7 31c0-31e3 31f0-321e 3220-3247 3250-4db5 4dc0-9fa5 a000-a014 a016-a48c
  a490-a4c6 a700-a716 a9c1-a9cd ac00-d7a3 f900-fa2d fa30-fa6a fb1d-fb36 fb46-fbc2 fbd3-fd8f fd92-fdc7
  fdf0-fe19 fe30-fe52 fe54-fe66 fe76-fefc ff01-ffbe 10137-1013f 10179-10189 10190-1019c 101d0-101fc
  10300-1031e 10330-10340 10342-1034a 10400-10425 10428-1044d 10a50-10a58 115c1-115d7 11660-1166c 11a3f-11a46
  11fd5-11ff1 16b37-16b3f 1cf50-1cfc3 1d000-1d0f5 1d100-1d126 1d129-1d1ea 1d200-1d241 1d300-1d356 1d400-1d454
  1d456-1d49c 1d4ae-1d4b9 1d4c5-1d505 1d50d-1d514 1d51e-1d539 1d552-1d6a3 1d6a8-1d7c9 1d7ce-1d9ff 1da6d-1da74
  1da76-1da83 1f000-1f02b 1f030-1f093 1f0a0-1f0ae 1f0b1-1f0bf 1f0c1-1f0cf 1f0d1-1f0f5 1f10d-1f1ad 1f1e6-1f202
  1f210-1f23b 1f240-1f248 1f300-1f6d7 1f6dd-1f6ec 1f6f0-1f6fc 1f700-1f773 1f780-1f7d8 1f7e0-1f7eb 1f800-1f80b
  1f810-1f847 1f850-1f859 1f860-1f887 1f890-1f8ad 1f900-1fa53 1fa60-1fa6d 1fa90-1faac 1fab0-1faba 1fad0-1fad9
  1fae0-1fae7 1fb00-1fb92 1fb94-1fbca 20000-2a6d6 2f800-2fa1d e0020-e007f
`

const UNSETTLED = new RegExp(
  `[^${RANGES.trim()
    .split(/\s+/)
    .map((range) =>
      range
        .split('-')
        .map((code) => `\\u{${code}}`)
        .join('-'),
    )
    .join('')}]`,
  'u',
)

export const isSettled = (text: string): boolean => !UNSETTLED.test(text)

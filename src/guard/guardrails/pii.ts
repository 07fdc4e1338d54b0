import ipaddr from 'ipaddr.js'
import { PII_KINDS, type PiiKind } from '../../config/pii-kinds.ts'
import { type Pattern, PatternDetector } from './patterns.ts'

/** Personal data that has a form. Names and addresses of people have none: what must find these takes a
 *  model, behind a guardrail of the kind `http`. */

const digitsOf = (span: string): string => span.replace(/\D/g, '')

/** Lengths by country: the registry of SWIFT, ISO 13616. */
const IBAN_LENGTHS = new Map(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27 ' +
    'GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 ' +
    'MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SD18 SE24 SI19 SK24 SM27 ST25 SV28 ' +
    'TL23 TN24 TR26 UA29 VA22 VG24 XK20'
  )
    .split(' ')
    .map((one) => [one.slice(0, 2), Number(one.slice(2))]),
)

/** ISO 7064, modulo 97. */
function isIban(span: string): boolean {
  const plain = span.replace(/[ -]/g, '')
  if (IBAN_LENGTHS.get(plain.slice(0, 2)) !== plain.length) return false
  let rest = 0
  for (const char of plain.slice(4) + plain.slice(0, 4)) {
    const value = Number.parseInt(char, 36)
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97
  }
  return rest === 1
}

/** Prefixes as they are issued, and how long the numbers under them are. */
const CARDS: readonly (readonly [RegExp, readonly number[]])[] = [
  [/^4/, [13, 16, 19]],
  [/^(?:5[1-5]|2[2-7])/, [16]],
  [/^3[47]/, [15]],
  [/^3[0689]/, [14, 16]],
  [/^6/, [16, 19]],
]

/** ISO/IEC 7812: a prefix that is issued, and Luhn's check digit. */
function isCard(span: string): boolean {
  const digits = digitsOf(span)
  if (!CARDS.some(([prefix, lengths]) => prefix.test(digits) && lengths.includes(digits.length))) return false
  let sum = 0
  for (let at = 0; at < digits.length; at++) {
    const digit = Number(digits[digits.length - 1 - at])
    const doubled = at % 2 === 1 ? digit * 2 : digit
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}

/** E.164 has at most 15 digits. Without a country code it must be written as numbers of a telephone are. */
function isPhone(span: string): boolean {
  const digits = digitsOf(span)
  if (digits.length > 15 || /\d{4}-\d{2}-\d{2}|\d{1,2}\.\d{1,2}\.\d{4}|\d+\.\d+\.\d+/.test(span)) return false
  if (span.startsWith('+') || /^00[1-9]/.test(span)) return digits.length >= 8
  if (/^\(?\d{3}\)?[ .-]?\d{3}[ .-]\d{4}$/.test(span)) return true
  return /^\(?0[1-9]/.test(span) && digits.length >= 9 && /[ /()-]/.test(span)
}

const isIp = (span: string): boolean => ipaddr.isValid(span) && (span.includes(':') ? span.length > 6 : true)

const PATTERNS: { readonly [Kind in PiiKind]: Omit<Pattern, 'kind'> } = {
  email: {
    form: /(?<![\w.%+-])[A-Za-z0-9][\w.%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24}(?![\w-])/g,
    spanCharsMax: 256,
    made: /[\w.%+@-]/,
  },
  iban: {
    form: /(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{1,4}){3,8}(?![A-Za-z0-9])/g,
    spanCharsMax: 44,
    made: /[A-Z0-9 -]/,
    accepts: isIban,
  },
  card: {
    form: /(?<![\w.,+-])\d(?:[ -]?\d){11,18}(?![\w-])/g,
    spanCharsMax: 40,
    made: /[\d -]/,
    accepts: isCard,
  },
  us_ssn: {
    form: /(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])/g,
    spanCharsMax: 11,
    made: /[\d-]/,
  },
  uk_nino: {
    form: /(?<![A-Za-z0-9])[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?![A-Za-z0-9])/g,
    spanCharsMax: 13,
    made: /[A-Z\d ]/,
    accepts: (span) => !/^(?:BG|GB|KN|NK|NT|TN|ZZ)/.test(span),
  },
  ip: {
    form: /(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4})(?![\w:]|\.\d)/g,
    spanCharsMax: 45,
    made: /[0-9A-Fa-f.:]/,
    accepts: isIp,
  },
  phone: {
    form: /(?<![\w.+-])(?:\+|\()?\d(?:[ ()./-]{0,2}\d){6,16}(?![\w-])/g,
    spanCharsMax: 52,
    made: /[\d ().+/-]/,
    accepts: isPhone,
  },
}

export const piiDetector = (kinds: readonly PiiKind[]): PatternDetector =>
  new PatternDetector(PII_KINDS.filter((kind) => kinds.includes(kind)).map((kind) => ({ kind, ...PATTERNS[kind] })))

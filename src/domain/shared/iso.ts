/**
 * ISO 3166-1:2020, alpha-2: the 249 officially assigned codes.
 *
 * User-assigned codes are left out on purpose, XK (Kosovo) too: ISO has assigned none of them.
 */
const COUNTRY_CODES = `
  AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
  CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
  FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
  JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
  MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
  PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM
  TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
`;

/**
 * ISO 4217:2015, List One with all amendments up to number 180 (in force since 2026-01-01), by digits of the minor unit.
 *
 * Left out are the codes whose minor unit the list gives as "N.A.": metals (XAG, XAU, XPD, XPT), units of account
 * (XBA, XBB, XBC, XBD, XDR, XSU, XUA), XTS for tests and XXX for no currency. Nobody can pay a bill in them.
 */
const CURRENCY_CODES_BY_DECIMALS: ReadonlyArray<readonly [decimals: number, codes: string]> = [
  [0, 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'],
  [
    2,
    `
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW
    CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF
    IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK
    MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP
    SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG
    YER ZAR ZMW ZWG
    `,
  ],
  [3, 'BHD IQD JOD KWD LYD OMR TND'],
  [4, 'CLF UYW'],
];

const countries: ReadonlySet<string> = new Set(words(COUNTRY_CODES));

const decimalsByCurrency: ReadonlyMap<string, number> = new Map(
  CURRENCY_CODES_BY_DECIMALS.flatMap(([decimals, codes]) => words(codes).map((code) => [code, decimals] as const)),
);

/** The ISO 4217 codes whose minor unit has no digits (CLP, JPY …): only whole amounts exist in them. Sorted. */
export const CURRENCIES_WITHOUT_DECIMALS: readonly string[] = Object.freeze(
  [...decimalsByCurrency].flatMap(([code, decimals]) => (decimals === 0 ? [code] : [])),
);

/** Tells whether `code` is an ISO 3166-1:2020 alpha-2 code. Exact and upper case: "mx" and " MX" are not. */
export function isCountry(code: string): boolean {
  return countries.has(code);
}

/**
 * Tells whether `code` is a currency of ISO 4217:2015 (amendment 180) that has a minor unit. Exact and upper case.
 * Withdrawn codes (ANG, BGN, CUC, HRK …) and codes that are no money to bill in (XXX, XAU …) are not.
 */
export function isCurrency(code: string): boolean {
  return decimalsByCurrency.has(code);
}

/**
 * Gives the digits of a currency's minor unit by ISO 4217: 2 for MXN and COP, 0 for CLP, 3 for KWD, 4 for CLF.
 *
 * Not `Intl`: it follows CLDR, which says 0 for COP.
 *
 * @throws {RangeError} when `isCurrency(code)` is false.
 */
export function currencyDecimals(code: string): number {
  const decimals = decimalsByCurrency.get(code);
  if (decimals === undefined) throw new RangeError(`Not an ISO 4217 currency code: ${code}`);
  return decimals;
}

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

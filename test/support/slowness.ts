// How many times slower than a machine of today this one is: what deadlines and time outs of tests are multiplied by.
// scripts/full-kernel sets it for user-mode Linux; whoever has a slow machine may, too.

const wish = Number(process.env['SWITCHYARD_TEST_SLOWNESS'] ?? 1)
if (!(wish >= 1)) throw new Error('SWITCHYARD_TEST_SLOWNESS must be a number from 1 on')

export const slowness = wish

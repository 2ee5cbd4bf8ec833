// Our dictionaries beside those of FreeRADIUS: the same numbers have the same names and types.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { loadDictionary } from '#aaa-server/dictionaries/load.ts';
import { missing } from '#test/support/peers.ts';

const folder = '/usr/share/freeradius';
const files = {
  'dictionary.alcatel.sr': 6527,
  'dictionary.cambium': 17713,
  'dictionary.chillispot': 14559,
  'dictionary.cisco': 9,
  'dictionary.erx': 4874,
  'dictionary.huawei': 2011,
  'dictionary.mikrotik': 14988,
  'dictionary.rfc4679': 3561,
  'dictionary.wispr': 14122,
  'dictionary.zte': 3902,
} as const;
/** Where FreeRADIUS 3.2.1 is wrong and later versions, like ours, are not. */
const wrong = ['ZTE-Client-DNS-Pri', 'ZTE-Client-DNS-Sec', 'ZTE-Context-Name'];
/** Numbers that FreeRADIUS 3.2.1 calls otherwise than their maker does. */
const otherName = ['Mikrotik-DHCP-Option-ParamSTR2', 'Mikrotik-Wireless-VLANID-Type'];
const kinds: Readonly<Record<string, string>> = { abinary: 'octets', time: 'date' };

t.test(
  'what FreeRADIUS knows is here with the same number and type',
  { skip: missing(`${folder}/dictionary.cisco`) },
  async (t) => {
    const dictionary = loadDictionary();
    for (const [file, vendor] of Object.entries(files)) {
      const different: string[] = [];
      const known = readFileSync(`${folder}/${file}`, 'utf8').matchAll(/^ATTRIBUTE\s+(\S+)\s+(\d+)\s+([a-z0-9]+)/gm);
      let count = 0;
      for (const [, name = '', number, type = ''] of known) {
        count++;
        const ours = dictionary.attributeOf(vendor, Number(number));
        const wanted = kinds[type] ?? type;
        if (wrong.includes(name)) continue;
        if (!ours) different.push(`${name} ${number} is not here`);
        else if (ours.kind !== wanted) different.push(`${name} ${type}: ours is ${ours.kind}`);
        else if (ours.name !== name.replaceAll('ZTE_', 'ZTE-') && !otherName.includes(name))
          different.push(`${name} ${number}: ours is ${ours.name}`);
      }
      t.ok(count > 5, file);
      t.strictSame(different, [], file);
    }
  },
);

t.test('what others have wrong or not at all is right here', async (t) => {
  const dictionary = loadDictionary();
  t.match(dictionary.attributeOf(3902, 1), { kind: 'ipaddr' });
  t.match(dictionary.attributeOf(3902, 2), { kind: 'ipaddr' });
  t.match(dictionary.attributeOf(3902, 4), { kind: 'integer' });
  t.match(dictionary.attribute('Juniper-Local-User-Name'), { vendor: 2636, type: 1, kind: 'string' });
  t.match(dictionary.attribute('Accel-VRF-Name'), { vendor: 55999, type: 1, kind: 'string' });
  t.match(dictionary.attribute('ChilliSpot-Max-Total-Gigawords'), { vendor: 14559, type: 23 });
});

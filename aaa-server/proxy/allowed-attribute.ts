// What the name of an attribute stands for, for the list of what replies of home servers may bring.
import type { AllowedAttribute, Hiding } from '#policy/proxy/settings.ts';
import type { Dictionary } from '../wire/dictionary.ts';

const hidingOf: readonly (Hiding | undefined)[] = ['none', 'password', 'salted'];

export function allowedAttribute(
  dictionary: Dictionary,
  name: string,
): AllowedAttribute | { readonly problem: string } {
  const known = dictionary.attribute(name);
  if (!known || known.internal) return { problem: 'is in no dictionary' };
  const usual = known.extendedSpace === 0 && known.path.length === 1;
  const { typeOctets, lengthOctets } = dictionary.formatOf(known.vendor);
  if (!usual || (known.vendor !== 0 && (typeOctets !== 1 || lengthOctets !== 1)))
    return { problem: 'lies inside another attribute or has an unusual format: it cannot be let through by itself' };
  const hiding = hidingOf[known.encrypt];
  if (!hiding) return { problem: 'is hidden in a way of its own that cannot be forwarded' };
  const { vendor, type, hasTag: tagged } = known;
  return { name: known.name, vendor, type, hiding, tagged };
}

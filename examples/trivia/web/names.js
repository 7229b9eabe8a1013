/** Names by chance, for players and for rooms. A room is as private as its name is hard to guess. */

const FIRST = "Amber Bold Brave Breezy Bright Calm Cheery Clever Cosy Curious Dapper Daring Dreamy Eager Fancy Fearless Gentle Giddy Golden Happy Humble Jolly Keen Kind Lively Lucky Merry Mighty Nimble Noble Plucky Proud Quick Quiet Quirky Sleepy Sunny Swift Tidy Witty".split(" ");
const LAST = "Alpaca Badger Beaver Bison Comet Condor Coyote Crane Dolphin Eagle Falcon Finch Fox Gecko Heron Ibis Koala Lark Lemur Lynx Magpie Marmot Meteor Moose Narwhal Newt Ocelot Otter Owl Panda Penguin Puffin Quokka Raven Robin Seal Swan Tapir Walrus Wombat".split(" ");
const TAIL = "abcdefghjkmnpqrstuvwxyz23456789";

const below = (count) => crypto.getRandomValues(new Uint32Array(1))[0] % count;
const one = (list) => list[below(list.length)];

/** @returns {string} such as "Sunny Otter" */
export const randomName = () => `${one(FIRST)} ${one(LAST)}`;

/** @returns {string} such as "sunny-otter-7kq2" */
export const randomSlug = () =>
  `${one(FIRST)}-${one(LAST)}-${Array.from({ length: 4 }, () => TAIL[below(TAIL.length)]).join("")}`.toLowerCase();

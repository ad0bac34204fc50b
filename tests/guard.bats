#!/usr/bin/env bats
# The address guard through ev-deliver: each host with its verdict. What is let
# through is dialled for real: in a network of its own every address is this
# machine's, and names are in a hosts file of its own.

load helpers/common

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	export EV_REJECTS=$BATS_TEST_TMPDIR/rejects
	: >rejects
}

# HOST WANT: "ok" (delivered), "dns", or what the reason must hold.
table() {
	cat <<-'END'
		1.1.1.1                           ok
		8.8.8.8                           ok
		93.184.216.34                     ok
		9.255.255.255                     ok
		11.0.0.0                          ok
		100.63.255.255                    ok
		100.128.0.0                       ok
		126.255.255.255                   ok
		128.0.0.1                         ok
		169.253.255.255                   ok
		169.255.0.0                       ok
		172.15.255.255                    ok
		172.32.0.0                        ok
		192.0.1.0                         ok
		192.0.3.0                         ok
		192.88.98.255                     ok
		192.88.100.0                      ok
		192.167.255.255                   ok
		192.169.0.0                       ok
		198.17.255.255                    ok
		198.20.0.0                        ok
		198.51.99.255                     ok
		198.51.101.0                      ok
		203.0.112.255                     ok
		203.0.114.0                       ok
		223.255.255.255                   ok
		168.63.129.15                     ok
		168.63.129.17                     ok
		[2606:4700:4700::1111]            ok
		[2a00:1450:4001:80b::200e]        ok
		[2000::1]                         ok
		[2001:200::1]                     ok
		[2001:db7:ffff::1]                ok
		[2001:db9::1]                     ok
		[2003::1]                         ok
		[3fff:1000::1]                    ok
		[3ffe::1]                         ok
		[64:ff9b::8.8.8.8]                ok
		[::ffff:8.8.8.8]                  ok
		16843009                          ok
		0x01010101                        ok
		01.01.01.01                       ok
		0x5d.184.55330                    ok
		0.0.0.0                           (0.0.0.0/8)
		0.1.2.3                           (0.0.0.0/8)
		0                                 (0.0.0.0/8)
		0x0                               (0.0.0.0/8)
		10.0.0.0                          private (10.0.0.0/8)
		10.0.0.5                          --allow-net 10.0.0.5/32 would let
		10.255.255.255                    (10.0.0.0/8)
		10.5                              10.0.0.5 is private
		012.0.0.5                         10.0.0.5 is private
		0xa.0.0.5                         10.0.0.5 is private
		167772165                         10.0.0.5 is private
		100.64.0.0                        (100.64.0.0/10)
		100.127.255.255                   (100.64.0.0/10)
		127.0.0.1                         loopback (127.0.0.0/8)
		127.255.255.254                   (127.0.0.0/8)
		127.1                             127.0.0.1 is loopback
		127.0.1                           127.0.0.1 is loopback
		0177.0.0.1                        127.0.0.1 is loopback
		0x7f.1                            127.0.0.1 is loopback
		0x7f000001                        127.0.0.1 is loopback
		0X7F.0X0.0x0.0X1                  127.0.0.1 is loopback
		2130706433                        127.0.0.1 is loopback
		017700000001                      127.0.0.1 is loopback
		127.0.0.1.                        127.0.0.1 is loopback
		①②⑦.⓪.⓪.①                        127.0.0.1 is loopback
		127。0。0。1                         127.0.0.1 is loopback
		169.254.0.1                       link-local (169.254.0.0/16)
		169.254.169.253                   (169.254.0.0/16)
		169.254.169.254                   a metadata service
		2852039166                        a metadata service
		0xa9fea9fe                        a metadata service
		169.254.43518                     a metadata service
		0251.0376.0251.0376               a metadata service
		169.254.170.2                     a metadata service
		169.254.170.23                    a metadata service
		169.254.0.23                      a metadata service
		169.254.42.42                     a metadata service
		168.63.129.16                     a metadata service
		100.100.100.200                   a metadata service
		192.0.0.192                       a metadata service
		172.16.0.0                        (172.16.0.0/12)
		172.31.255.255                    (172.16.0.0/12)
		192.0.0.1                         (192.0.0.0/24)
		192.0.2.1                         (192.0.2.0/24)
		192.88.99.1                       (192.88.99.0/24)
		192.168.0.1                       (192.168.0.0/16)
		192.168.255.255                   (192.168.0.0/16)
		198.18.0.0                        (198.18.0.0/15)
		198.19.255.255                    (198.18.0.0/15)
		198.51.100.1                      (198.51.100.0/24)
		203.0.113.1                       (203.0.113.0/24)
		224.0.0.1                         multicast (224.0.0.0/4)
		239.255.255.255                   (224.0.0.0/4)
		240.0.0.1                         reserved (240.0.0.0/4)
		255.255.255.255                   broadcast
		4294967295                        broadcast
		[::]                              unspecified (::/128)
		[::1]                             loopback (::1/128)
		[0:0:0:0:0:0:0:1]                 loopback (::1/128)
		[::2]                             (::/96)
		[::127.0.0.1]                     (::/96)
		[::8.8.8.8]                       (::/96)
		[::169.254.169.254]               a metadata service
		[::ffff:127.0.0.1]                stands for 127.0.0.1, which is loop
		[::ffff:7f00:1]                   stands for 127.0.0.1, which is loop
		[::FFFF:10.0.0.5]                 stands for 10.0.0.5, which is privat
		[0:0:0:0:0:ffff:a00:5]            stands for 10.0.0.5, which is privat
		[::ffff:0.0.0.0]                  (0.0.0.0/8)
		[::ffff:169.254.169.254]          a metadata service
		[::ffff:168.63.129.16]            a metadata service
		[::ffff:0:8.8.8.8]                translated
		[::ffff:0:169.254.169.254]        a metadata service
		[64:ff9b::10.0.0.5]               stands for 10.0.0.5, which is privat
		[64:ff9b::7f00:1]                 stands for 127.0.0.1, which is loop
		[64:ff9b::169.254.169.254]        a metadata service
		[64:ff9b:1::8.8.8.8]              (64:ff9b:1::/48)
		[100::1]                          (100::/64)
		[1000::1]                         (::/3)
		[2001::1]                         Teredo
		[2001:0:a9fe:a9fe::1]             a metadata service
		[2001:0:808:808:0:0:5601:5601]    a metadata service
		[2001:20::1]                      (2001::/23)
		[2001:1ff::1]                     (2001::/23)
		[2001:db8::1]                     (2001:db8::/32)
		[2001:db8:ffff::1]                (2001:db8::/32)
		[2002:a00:5::1]                   (2002::/16)
		[2002:808:808::1]                 (2002::/16)
		[2002:a9fe:a9fe::1]               a metadata service
		[3fff::1]                         (3fff::/20)
		[4000::1]                         reserved (4000::/2)
		[5f00::1]                         (5f00::/16)
		[8000::1]                         reserved (8000::/1)
		[fc00::1]                         private (fc00::/7)
		[fdff:ffff::1]                    private (fc00::/7)
		[fd00:ec2::254]                   a metadata service
		[fd00:ec2::23]                    a metadata service
		[fd20:ce::254]                    a metadata service
		[fd00:c1::a9fe:a9fe]              a metadata service
		[fd00:42::42]                     a metadata service
		[fe80::1]                         link-local (fe80::/10)
		[febf::1]                         (fe80::/10)
		[fe80::a9fe:a9fe]                 a metadata service
		[fec0::1]                         (fec0::/10)
		[ff02::1]                         multicast (ff00::/8)
		[ff0e::1]                         (ff00::/8)
	END
}

# Names, which the hosts file of the network has.
names() {
	cat <<-'END'
		good.test                         ok
		GOOD.test                         ok
		six.test                          ok
		both.test                         ok
		b\u00fccher.test                  ok
		private.test                      10.0.0.5 is private
		loop.test                         127.0.0.1 is loopback
		loop6.test                        ::1 is loopback
		localhost                         is loopback
		metadata.test                     a metadata service
		metadata6.test                    a metadata service
		mixed.test                        10.0.0.5 is private
		mixed2.test                       10.0.0.5 is private
		mixed6.test                       fd00::1 is private
		wrapped.test                      stands for 10.0.0.5
		absent.test                       dns
	END
}

hosts() {
	cat <<-'END'
		127.0.0.1 localhost
		::1 localhost
		93.184.216.34 good.test both.test mixed.test mixed6.test xn--bcher-kva.test
		2606:4700:4700::1111 six.test both.test
		10.0.0.5 private.test mixed.test mixed2.test
		8.8.8.8 mixed2.test
		127.0.0.1 loop.test
		::1 loop6.test
		169.254.169.254 metadata.test
		fd00:ec2::254 metadata6.test
		fd00::1 mixed6.test
		::ffff:10.0.0.5 wrapped.test
	END
}

# A call for each host of a table on stdin, at this port.
calls() {
	local host want
	while read -r host want; do
		printf '{"url":"http://%s:%s/","headers":{},"body":[],"id":"%s"}\n' \
			"$host" "$1" "$host"
	done
}

# judge FILE: the results in out are what the table in FILE wants.
judge() {
	local host want id got bad=0
	jq -r '[.id, if .outcome == "delivered" then "ok" elif .reason == "dns"
		then "dns" else "\(.reason): \(.error)" end] | @tsv' out >got
	while read -r host want; do
		id=$(printf '%b' "$host")
		got=$(awk -F'\t' -v id="$id" '$1 "" == id "" { print $2 }' got)
		case $want in
		ok | dns) [ "$got" = "$want" ] ;;
		*) [[ $got == "blocked-address: "*"$want"* ]] ;;
		esac || {
			echo "$host: '$got', not '$want'" >&2
			bad=1
		}
	done <"$1"
	[ "$(wc -l <got)" = "$(wc -l <"$1")" ]
	return $bad
}

# own_network SCRIPT: in a network, with a hosts file, of its own.
own_network() {
	local how=(unshare -rnm)
	[ "$(id -u)" -ne 0 ] || how=(unshare -nm)
	"${how[@]}" true 2>/dev/null && command -v ip >/dev/null &&
		[ -e /proc/net/if_inet6 ] ||
		skip "no network namespace to be had"
	hosts >hosts
	cat >inside <<-'END'
		set -e
		mount --bind hosts /etc/hosts
		ip link set lo up
		END
	{ table; names; hosts | awk '{ print $1, "ok" }'; } |
		awk '$2 == "ok" { print $1 }' | tr -d '[]' |
		grep -E '^[0-9]+(\.[0-9]+){3}$|:' | grep -v '^::\|^127\|^0' |
		sort -u | while read -r address; do
			case $address in
			*:*) echo "ip addr add $address/128 dev lo nodad" ;;
			*) echo "ip addr add $address/32 dev lo" ;;
			esac
		done >>inside
	cat >>inside
	"${how[@]}" bash inside 3>&- 4>&-
}

@test "without a network: what is refused" {
	table | grep -v ' ok$' >refused
	[ "$(wc -l <refused)" -ge 80 ]
	calls 9 <refused >in
	run_prog ev-deliver --schedule none in
	want_code 1
	judge refused
	# A result says what and why, and nothing was connected to.
	[ "$(jq -r '.outcome + .reason' out | sort -u)" = deadblocked-address ]
}

@test "each host has its verdict, and what is let through is reached" {
	{ table; names; } >all
	[ "$(wc -l <all)" -ge 120 ]
	printf '%b' "$(calls PORT <all | sed 's/\\/\\\\/g')" >in
	own_network <<-'END'
		hook-sink --listen "[::]:0" --port-file port >log & sink=$!
		until [ -s port ]; do sleep 0.02; done
		sed "s/PORT/$(<port)/" in >in2
		ev-deliver --schedule none in2 >out 2>err || [ $? -eq 1 ]
		kill "$sink"
		wait
	END
	sed -i 's/\\u00fc/ü/' all
	judge all
	# As many arrived as were let through, and none else.
	[ "$(wc -l <log)" = "$(grep -c ' ok$' all)" ]
}

@test "--allow-net lets through what it names, and never metadata" {
	table | grep -v ' ok$' >refused
	cat >want <<-'END'
		10.0.0.5                          ok
		private.test                      ok
		mixed.test                        ok
		wrapped.test                      ok
		[::ffff:10.0.0.5]                 ok
		10.0.0.6                          --allow-net 10.0.0.6/32
		mixed6.test                       fd00::1 is private
		127.0.0.1                         ok
		[fd00:7::1]                       ok
		169.254.169.254                   a metadata service
		metadata6.test                    a metadata service
		[::ffff:169.254.169.254]          a metadata service
	END
	calls PORT <want >in
	own_network <<-'END'
		ip addr add fd00:7::1/128 dev lo nodad
		hook-sink --listen "[::]:0" --port-file port >log & sink=$!
		until [ -s port ]; do sleep 0.02; done
		sed "s/PORT/$(<port)/" in >in2
		ev-deliver --schedule none --allow-net 10.0.0.5 \
			--allow-net=127.0.0.0/8 --allow-net fd00:7::/32 \
			--allow-net 169.254.0.0/16 --allow-net fd00:ec2::/32 \
			in2 >out 2>err || [ $? -eq 1 ]
		kill "$sink"
		wait
	END
	judge want
}

@test "a name that turns between attempts is judged at each" {
	own_network <<-'END'
		hook-sink --listen "[::]:0" --port-file port >log & sink=$!
		until [ -s port ]; do sleep 0.02; done
		echo '{"url":"http://late.test:'$(<port)'/","headers":{},"body":[]}' >in
		times=$(printf ',100ms%.0s' {1..90})
		ev-deliver --schedule "${times#,}" in >out 2>err & pid=$!
		until grep -q '"dns"' out; do sleep 0.02; done
		echo '10.0.0.5 late.test' >>/etc/hosts
		until grep -q '"blocked-address"' out; do sleep 0.02; done
		kill "$pid" "$sink"
		wait
	END
	[ "$(jq -r .reason out | uniq | head -n 2 | paste -sd' ')" = \
		"dns blocked-address" ]
	[ ! -s log ]
}

@test "a registry's webhook is judged like any other" {
	start_sink
	echo '[{"id":"w","url":"http://0x7f.1:'"$SINK_PORT"'/","subscriptions":"ping"}]' >w.json
	echo '{"url":"http://93.184.216.34/","headers":{},"webhook":"w"}' >in
	run_prog ev-deliver -w w.json --schedule none in
	want_code 1
	grep -q '127.0.0.1 is loopback' "$OUT"
	grep -q 'dead: blocked-address: 127.0.0.1 is loopback' "$ERR"
	run_prog ev-deliver "$LOOPBACK" -w w.json --schedule none in
	want_code 0
}

@test "through --connect-to and --proxy" {
	start_sink
	echo '{"url":"http://good.invalid/","headers":{},"body":[1]}' >in
	run_prog ev-deliver --connect-to "good.invalid:80:127.0.0.1:$SINK_PORT" \
		--schedule none in
	want_code 1
	grep -q '127.0.0.1 is loopback' "$OUT"
	[ ! -s "$SINK_LOG" ]
	# The proxy is trusted and gets the whole URL; addresses are judged.
	{
		cat in
		echo '{"url":"http://10.0.0.5/","headers":{},"body":[2]}'
		echo '{"url":"https://169.254.169.254/","headers":{},"body":[3]}'
	} >in3
	run_prog ev-deliver --proxy "http://127.0.0.1:$SINK_PORT" \
		--schedule none in3
	want_code 1
	[ "$(jq -r .target "$SINK_LOG")" = http://good.invalid/ ]
	[ "$(jq -r .reason "$OUT" | sort | paste -sd' ')" = \
		"blocked-address blocked-address null" ]
	# Exceptions of the environment do not count either.
	no_proxy='*' NO_PROXY='*' run_prog ev-deliver --proxy \
		"http://127.0.0.1:$SINK_PORT" --schedule none in
	want_code 0
	stop_all
	# What a proxy says to CONNECT is no answer of the receiver.
	start_sink --status 200
	sed 's/http:/https:/' in >tls
	run_prog ev-deliver --proxy "http://127.0.0.1:$SINK_PORT" \
		--schedule none --timeout 2s tls
	want_code 1
	[ "$(jq -r .status "$OUT")" = null ]
	stop_all
	start_sink --status 407
	run_prog ev-deliver --proxy "http://127.0.0.1:$SINK_PORT" \
		--schedule none tls
	want_code 1
	[ "$(jq -r '.reason + ": " + .error' "$OUT")" = \
		'connect: the proxy answered 407' ]
	[ "$(jq -r .method "$SINK_LOG")" = CONNECT ]
	run_prog ev-deliver --proxy http://nowhere.invalid:1/ --schedule none in
	[ "$(jq -r '.reason + ": " + .error' "$OUT")" = \
		"dns: cannot resolve the proxy's name" ]
}

@test "a body that trickles or hangs ends a second after its head" {
	printf '%s\n' 'drip 50ms' >steps
	start_sink --script steps
	for i in 1 2 3 4; do
		echo '{"url":"http://127.0.0.1:'"$SINK_PORT"'/","headers":{},"body":[]}'
	done >in
	# One place in flight: with the time limit alone this would take 2 min.
	run_prog timeout 60 ev-deliver "$LOOPBACK" --concurrency 1 in
	want_code 0
	[ "$(grep -c delivered "$OUT")" = 4 ]
}

@test "wrong networks and proxies" {
	for net in '' 10.0.0.5/8 10.0.0.0/33 localhost 10.0.0.0/8/8 fd00::1/8 x/8; do
		run_prog ev-deliver --allow-net "$net" /dev/null
		want_code 2
		grep -q -- "--allow-net '$net'" "$ERR"
	done
	for proxy in '' socks5://127.0.0.1:1 http:// http://user:s3cret@a:1/ a:1; do
		run_prog ev-deliver --proxy "$proxy" /dev/null
		want_code 2
		[ "$(grep -c s3cret "$ERR")" = 0 ]
	done
}

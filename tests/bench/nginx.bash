# A receiver that answers 204, for the benches: one worker of nginx on loopback.

# start_nginx DIR [ADDRESS [CERTIFICATE KEY]]: its files there; sets $port and
# $nginx_pid. nginx can't pick a port itself: try some until it stays up.
start_nginx() {
	local try i tls=
	[ -z "${3:-}" ] || tls=" ssl; ssl_certificate $3; ssl_certificate_key $4"
	for try in 1 2 3 4 5 6 7 8 9 10; do
		port=$((20000 + (RANDOM + try) % 12000))
		cat >"$1/nginx.conf" <<-END
			daemon off;
			worker_processes 1;
			pid $1/nginx.pid;
			error_log $1/error.log;
			events { worker_connections 2048; }
			http {
				access_log off;
				keepalive_requests 1000000000;
				client_body_temp_path $1/body;
				proxy_temp_path $1/proxy;
				fastcgi_temp_path $1/fastcgi;
				uwsgi_temp_path $1/uwsgi;
				scgi_temp_path $1/scgi;
				server { listen ${2:-127.0.0.1}:$port$tls; return 204; }
			}
		END
		nginx -e "$1/error.log" -p "$1" -c "$1/nginx.conf" \
			>/dev/null 2>&1 &
		nginx_pid=$!
		for ((i = 0; i < 100; i++)); do
			kill -0 "$nginx_pid" 2>/dev/null || break
			if (exec 9<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
				return
			fi
			sleep 0.05
		done
	done
	echo "nginx does not start" >&2
	exit 1
}
